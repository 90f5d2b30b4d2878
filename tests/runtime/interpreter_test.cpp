// runtime/interpreter.h against interpreter_oracle.h, bit for bit, at several thread counts.
#include "runtime/interpreter.h"

#include <gmock/gmock.h>

#include <bit>
#include <cmath>
#include <limits>

#include "tests/graph/graphs.h"
#include "tests/io/test_files.h"
#include "tests/runtime/interpreter_oracle.h"

namespace samebits::runtime {
namespace {

std::int64_t elements(const std::vector<std::int64_t>& shape) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  return count;
}

/// Normal values, some far outside every grid, for `batch` images.
Array random_input(const Graph& graph, std::int64_t batch, unsigned seed) {
  std::mt19937 random(seed);
  Array x{graph.input_shape, {}};
  x.shape[0] = batch;
  x.values = random_floats(elements(x.shape), random);
  for (std::size_t i = 0; i < x.values.size(); i += 17) x.values[i] *= i % 2 == 0 ? 100.0f : HUGE_VALF;
  return x;
}

void expect_same_bits(const Array& actual, const Array& expected) {
  ASSERT_EQ(actual.shape, expected.shape);
  ASSERT_EQ(actual.values.size(), expected.values.size());
  for (std::size_t i = 0; i < actual.values.size(); ++i)
    ASSERT_EQ(std::bit_cast<std::uint32_t>(actual.values[i]),
              std::bit_cast<std::uint32_t>(expected.values[i]))
        << "element " << i << ": " << actual.values[i] << " instead of " << expected.values[i];
}

/// Every node's output has the oracle's bits, and the result without watching them too, for batches of 0, 1
/// and 5 images at 1, 2 and 3 threads.
void expect_as_oracle(const Graph& graph) {
  for (const std::int64_t batch : {0, 1, 5}) {
    const Array x = random_input(graph, batch, 3);
    const std::map<std::string, Array> expected = oracle::run(graph, x);
    for (const int threads : {1, 2, 3}) {
      SCOPED_TRACE(testing::Message() << "batch " << batch << ", " << threads << " threads");
      Interpreter interpreter(graph, threads);
      std::vector<std::string> seen;
      interpreter.on_node = [&](const Node& node, const Array& y) {
        SCOPED_TRACE(node.name);
        seen.push_back(node.name);
        expect_same_bits(y, expected.at(node.output));
      };
      expect_same_bits(interpreter.run(x), expected.at(graph.output));
      interpreter.on_node = nullptr;  // now with steps folded
      expect_same_bits(interpreter.run(x), expected.at(graph.output));
      std::vector<std::string> names;
      for (const Node& node : graph.nodes) names.push_back(node.name);
      EXPECT_EQ(seen, names);
    }
  }
}

Graph linear_graph(const WeightKind& kind, std::vector<std::int64_t> input_shape, std::int64_t out_features) {
  std::mt19937 random(5);
  Weight weight = random_weight(kind, {out_features, input_shape.back()}, random);
  return graph_of(std::move(input_shape), {layer_node(Op::kLinear, "fc", "x", std::move(weight), random)});
}

TEST(Interpreter, LinearHasTheOraclesBitsForEveryWeightKind) {
  for (const WeightKind& kind : kWeightKinds) {
    SCOPED_TRACE(kind.name);
    expect_as_oracle(linear_graph(kind, {-1, 37}, 19));
    expect_as_oracle(linear_graph(kind, {-1, 64}, 16));
    expect_as_oracle(linear_graph(kind, {-1, 1}, 1));
  }
}

TEST(Interpreter, LinearTakesRowsOfEveryRank) {
  expect_as_oracle(linear_graph(kWeightKinds[1], {-1, 7, 12}, 5));
  expect_as_oracle(linear_graph(kWeightKinds[6], {-1, 2, 3, 12}, 5));
}

TEST(Interpreter, LinearTakesGridsOfEveryKind) {
  const kernels::AffineGrid kGrids[] = {
      {.scale = 0.02f, .zero_point = 0, .qmin = -127, .qmax = 127},
      {.scale = 0.01f, .zero_point = -128, .qmin = -128, .qmax = 127},
      {.scale = 0.3f, .zero_point = 7, .qmin = -8, .qmax = 7},
      {.scale = 0x1p-126f, .zero_point = 3, .qmin = -128, .qmax = 127},
  };
  for (const kernels::AffineGrid& grid : kGrids) {
    Graph graph = linear_graph(kWeightKinds[1], {-1, 20}, 6);
    graph.nodes[0].input_grid = grid;
    expect_as_oracle(graph);
    graph.nodes[0].bias.clear();
    expect_as_oracle(graph);
  }
}

TEST(Interpreter, ConvolutionHasTheOraclesBitsForEveryWindow) {
  const struct {
    const char* why;
    std::vector<std::int64_t> input_shape, weight_shape;
    Window window;
  } kCases[] = {
      {"no padding", {-1, 3, 6, 7}, {5, 3, 3, 3}, {}},
      {"one pixel", {-1, 1, 1, 1}, {1, 1, 1, 1}, {}},
      {"padding keeps the size", {-1, 2, 5, 5}, {4, 2, 3, 3}, {.padding = {1, 1}}},
      {"stride, and a padding wider than the kernel",
       {-1, 2, 7, 6},
       {3, 2, 2, 3},
       {.stride = {2, 3}, .padding = {3, 4}}},
      {"dilation", {-1, 2, 9, 8}, {3, 2, 3, 2}, {.padding = {0, 2}, .dilation = {2, 3}}},
      {"groups", {-1, 6, 5, 4}, {4, 3, 2, 2}, {.padding = {1, 0}, .groups = 2}},
      {"a channel each", {-1, 8, 6, 6}, {8, 1, 3, 3}, {.stride = {2, 2}, .padding = {1, 1}, .groups = 8}},
      {"all at once",
       {-1, 4, 11, 10},
       {6, 2, 3, 2},
       {.stride = {2, 1}, .padding = {2, 1}, .dilation = {2, 2}, .groups = 2}},
  };
  for (const WeightKind& kind : kWeightKinds) {
    if (kind.group_size != 0) continue;
    for (const auto& c : kCases) {
      SCOPED_TRACE(testing::Message() << kind.name << ": " << c.why);
      std::mt19937 random(9);
      Node node = layer_node(Op::kConv2d, "conv", "x", random_weight(kind, c.weight_shape, random), random);
      node.window = c.window;
      expect_as_oracle(graph_of(c.input_shape, {node}));
    }
  }
}

TEST(Interpreter, PoolsHaveTheOraclesBitsForEveryWindow) {
  const Window kWindows[] = {
      {.kernel = {2, 2}, .stride = {2, 2}},
      {.kernel = {3, 2}, .stride = {1, 3}},
      {.kernel = {3, 3}, .stride = {2, 2}, .padding = {1, 1}},
      {.kernel = {1, 1}},
      {.kernel = {3, 3}, .stride = {2, 3}, .padding = {1, 0}, .ceil_mode = true},
      {.kernel = {2, 2}, .stride = {3, 3}, .padding = {1, 1}, .ceil_mode = true},
      {.kernel = {2, 3}, .stride = {1, 2}, .padding = {1, 1}, .dilation = {3, 2}},
      {.kernel = {3, 2}, .stride = {4, 3}, .padding = {1, 1}, .dilation = {2, 3}, .ceil_mode = true},
      {.kernel = {3, 9},
       .stride = {3, 5},
       .ceil_mode = true},  // reaches over the whole width of the smallest
  };
  for (const Window& window : kWindows) {
    for (const Op op : {Op::kMaxPool2d, Op::kAvgPool2d}) {
      if (op == Op::kAvgPool2d && (window.ceil_mode || window.dilation[0] != 1)) continue;
      SCOPED_TRACE(testing::Message() << op_name(op) << " of window " << &window - kWindows);
      for (const std::int64_t size : {5, 6, 7, 8})
        expect_as_oracle(graph_of({-1, 3, size, size + 1}, {plain_node(op, "pool", {"x"}, window)}));
    }
  }
}

TEST(Interpreter, RunsAGraphOfEverything) {
  expect_as_oracle(graph_of_everything());
}

TEST(Interpreter, KeepsValuesThatAreReadAgain) {
  Node flatten = plain_node(Op::kFlatten, "flatten", {"relu.y"});
  flatten.start_dim = 2;
  // The input, a relu and a flatten are all used after an op that could work in place.
  Graph graph = graph_of(
      {-1, 2, 3, 4},
      {plain_node(Op::kRelu, "relu", {"x"}), plain_node(Op::kRelu, "relu2", {"relu.y"}),
       plain_node(Op::kAdd, "twice", {"relu.y", "relu.y"}), plain_node(Op::kAdd, "add", {"twice.y", "x"}),
       flatten, plain_node(Op::kRelu, "unused", {"add.y"})});
  for (const char* output : {"x", "relu.y", "relu2.y", "twice.y", "add.y", "flatten.y", "unused.y"}) {
    graph.output = output;
    expect_as_oracle(graph);
  }
}

TEST(Interpreter, IsTheSameAtEveryThreadCountWhenThereIsEnoughWorkForAll) {
  std::mt19937 random(11);
  Node conv =
      layer_node(Op::kConv2d, "conv", "x", random_weight(kWeightKinds[1], {16, 8, 3, 3}, random), random);
  conv.window.padding = {1, 1};
  const Window window{.kernel = {2, 2}, .stride = {1, 1}};
  const Graph graph = graph_of(
      {-1, 8, 20, 20},
      {conv, plain_node(Op::kRelu, "relu", {"conv.y"}), plain_node(Op::kAdd, "add", {"conv.y", "relu.y"}),
       plain_node(Op::kMaxPool2d, "max", {"add.y"}, window),
       plain_node(Op::kAvgPool2d, "avg", {"max.y"}, window), plain_node(Op::kFlatten, "flatten", {"avg.y"}),
       layer_node(Op::kLinear, "fc", "flatten.y", random_weight(kWeightKinds[6], {40, 16 * 18 * 18}, random),
                  random)});
  const Array x = random_input(graph, 25, 4);  // millions of products in each layer
  const Array expected = Interpreter(graph, 1).run(x);
  for (const int threads : {2, 3, 5}) expect_same_bits(Interpreter(graph, threads).run(x), expected);
}

TEST(Interpreter, RunsAgainWithAnotherBatch) {
  const Graph graph = graph_of_everything();
  Interpreter interpreter(graph, 2);
  for (const std::int64_t batch : {4, 1, 0, 6}) {
    const Array x = random_input(graph, batch, 8);
    expect_same_bits(interpreter.run(x), Interpreter(graph, 1).run(x));
  }
}

TEST(Interpreter, NamesTheNodeWhoseInputHoldsNaN) {
  const Graph graph = graph_of_everything();
  for (const int threads : {1, 3}) {
    Interpreter interpreter(graph, threads);
    Array x = random_input(graph, 4, 1);
    const Array expected = interpreter.run(x);
    const float earlier = std::exchange(x.values[300], std::nanf(""));
    EXPECT_EQ(error_of([&] { interpreter.run(x); }),
              "[runtime] conv1: input holds NaN; look for it in the model's input, then with on_node");
    x.values[300] = earlier;
    expect_same_bits(interpreter.run(x), expected);  // the error leaves nothing behind
  }
  Graph late = linear_graph(kWeightKinds[1], {-1, 4}, 2);
  late.nodes.insert(late.nodes.begin(), plain_node(Op::kAdd, "add", {"x", "x"}));
  late.nodes[1].inputs = {"add.y"};
  EXPECT_EQ(error_of([&] {
              Interpreter(late).run({{1, 4}, {1, 2, std::nanf(""), 4}});
            }),
            "[runtime] fc: input holds NaN; look for it in the model's input, then with on_node");
}

TEST(Interpreter, LetsNaNThroughWhereNothingIsQuantized) {
  const Graph graph = graph_of({-1, 2}, {plain_node(Op::kRelu, "relu", {"x"})});
  const Array y = Interpreter(graph).run({{1, 2}, {std::nanf(""), -1}});
  EXPECT_TRUE(std::isnan(y.values[0]));
  EXPECT_EQ(y.values[1], 0.0f);
}

TEST(Interpreter, RefusesInputsOfAnotherShape) {
  Interpreter interpreter(graph_of({-1, 2, 3}, {plain_node(Op::kRelu, "relu", {"x"})}));
  const std::pair<Array, const char*> kCases[] = {
      {{{6}, std::vector<float>(6)}, "expected shape [-1, 2, 3] with any batch, got [6]"},
      {{{1, 3, 2}, std::vector<float>(6)}, "expected shape [-1, 2, 3] with any batch, got [1, 3, 2]"},
      {{{-1, 2, 3}, {}}, "expected shape [-1, 2, 3] with any batch, got [-1, 2, 3]"},
      {{{}, {}}, "expected shape [-1, 2, 3] with any batch, got []"},
      {{{2, 2, 3}, std::vector<float>(6)}, "expected 6 values an image for shape [2, 2, 3], got 6 values"},
      {{{1, 2, 3}, std::vector<float>(7)}, "expected 6 values an image for shape [1, 2, 3], got 7 values"},
      {{{std::numeric_limits<std::int64_t>::max(), 2, 3}, std::vector<float>(6)},
       "expected 6 values an image for shape [9223372036854775807, 2, 3], got 6 values"},
  };
  for (const auto& [x, message] : kCases)
    EXPECT_EQ(error_of([&] { interpreter.run(x); }), std::string("[runtime] x: ") + message);
}

TEST(Interpreter, RefusesGraphsAndThreadCountsThatAreNone) {
  Graph graph = linear_graph(kWeightKinds[1], {-1, 4}, 2);
  EXPECT_EQ(error_of([&] { Interpreter(graph, 0); }), "[runtime] threads: expected at least 1, got 0");
  graph.output = std::string("y");
  EXPECT_EQ(error_of([&] { Interpreter(graph, 1); }),
            "[graph] output: expected the name of a value, got \"y\"");
}

TEST(Interpreter, PassesOnWhatOnNodeThrows) {
  Interpreter interpreter(graph_of_everything(), 2);
  interpreter.on_node = [](const Node& node, const Array&) { throw std::runtime_error(node.name); };
  const Array x = random_input(interpreter.graph(), 2, 1);
  EXPECT_EQ(error_of([&] { interpreter.run(x); }), "conv1");
  interpreter.on_node = nullptr;
  EXPECT_EQ(interpreter.run(x).shape, (std::vector<std::int64_t>{2, 11}));
}

}  // namespace
}  // namespace samebits::runtime
