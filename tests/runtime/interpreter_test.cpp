// runtime/interpreter.h against the oracle, bit for bit, at several thread counts. ops_test.cpp has each
// operator.
#include "runtime/interpreter.h"

#include <gmock/gmock.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmath>
#include <limits>

#include "tests/graph/graphs.h"
#include "tests/io/test_files.h"
#include "tests/runtime/arrays.h"

namespace samebits::runtime {
namespace {

using graph::Conv2d;
using graph::Graph;
using graph::graph_of;
using graph::kWeightKinds;
using graph::Node;
using graph::node_of;
using graph::random_tensor;
using graph::Relu;

TEST(Interpreter, RunsAGraphOfEverything) {
  expect_as_oracle(graph::graph_of_everything());
}

TEST(Interpreter, KeepsValuesThatAreReadAgain) {
  // The input, a relu and a flatten are all used after an op that could work in place.
  Graph graph = graph_of(
      {2, 3, 4},
      {node_of("relu", Relu{}, {"x"}), node_of("relu2", Relu{}, {"relu.y"}),
       node_of("twice", graph::Add{}, {"relu.y", "relu.y"}), node_of("add", graph::Add{}, {"twice.y", "x"}),
       node_of("flatten", graph::Flatten{2}, {"relu.y"}), node_of("unused", Relu{}, {"add.y"})});
  for (const char* output : {"x", "relu.y", "relu2.y", "twice.y", "add.y", "flatten.y", "unused.y"}) {
    graph.outputs = {output};
    expect_as_oracle(graph);
  }
}

TEST(Interpreter, IsTheSameAtEveryThreadCountWhenThereIsEnoughWorkForAll) {
  std::mt19937 random(11);
  Conv2d conv = random_conv(kWeightKinds[1], {16, 8, 3, 3}, random);
  conv.padding = {1, 1};
  const graph::FloatConv2d float_conv{random_tensor({8, 16, 1, 1}, random), {}};
  const Graph graph =
      graph_of({8, 20, 20},
               {node_of("conv", conv, {"x"}), node_of("relu", Relu{}, {"conv.y"}),
                node_of("add", graph::Add{}, {"conv.y", "relu.y"}),
                node_of("max", graph::MaxPool2d{{2, 2}}, {"add.y"}),
                node_of("avg", graph::AvgPool2d{{2, 2}}, {"max.y"}), node_of("float", float_conv, {"avg.y"}),
                node_of("flatten", graph::Flatten{}, {"float.y"}),
                node_of("fc", random_linear(kWeightKinds[6], 40, 8 * 18 * 18, random), {"flatten.y"}),
                node_of("last", graph::FloatLinear{random_tensor({30, 40}, random), {}}, {"fc.y"})});
  const std::vector<Array> x = random_inputs(graph, 25, 4);  // millions of products in each layer
  const Array expected = Interpreter(graph, 1).run(x)[0];
  for (const int threads : {2, 3, 5}) expect_same_bits(Interpreter(graph, threads).run(x)[0], expected);
}

TEST(Interpreter, RunsAgainWithAnotherBatch) {
  const Graph graph = graph::graph_of_everything();
  Interpreter interpreter(graph, 2);
  for (const std::int64_t batch : {4, 1, 0, 6}) {
    const std::vector<Array> x = random_inputs(graph, batch, 8);
    std::vector<Array> got;
    interpreter.run(x, got);
    const std::vector<Array> expected = Interpreter(graph, 1).run(x);
    ASSERT_EQ(got.size(), 2u);
    for (const std::size_t i : {0u, 1u}) expect_same_bits(got[i], expected[i]);
  }
}

TEST(Interpreter, NamesTheNodeWhoseInputHoldsNaN) {
  const Graph graph = graph::graph_of_everything();
  for (const int threads : {1, 3}) {
    Interpreter interpreter(graph, threads);
    std::vector<Array> x = random_inputs(graph, 4, 1);
    const Array expected = interpreter.run(x)[0];
    const float earlier = std::exchange(x[0].values[300], std::nanf(""));
    EXPECT_EQ(error_of([&] { interpreter.run(x); }),
              "[runtime] conv1: input holds NaN; look for it in the model's input, then with on_node");
    x[0].values[300] = earlier;
    expect_same_bits(interpreter.run(x)[0], expected);  // the error leaves nothing behind
  }
  std::mt19937 random(5);
  const Graph late = graph_of({4}, {node_of("add", graph::Add{}, {"x", "x"}),
                                    node_of("fc", random_linear(kWeightKinds[1], 2, 4, random), {"add.y"})});
  EXPECT_EQ(error_of([&] {
              Interpreter(late).run(Array{{1, 4}, {1, 2, std::nanf(""), 4}});
            }),
            "[runtime] fc: input holds NaN; look for it in the model's input, then with on_node");
}

TEST(Interpreter, LetsNaNThroughWhereNothingIsQuantized) {
  const Graph graph = graph_of({2}, {node_of("relu", Relu{}, {"x"})});
  const Array y = Interpreter(graph).run(Array{{1, 2}, {std::nanf(""), -1}});
  EXPECT_TRUE(std::isnan(y.values[0]));
  EXPECT_EQ(y.values[1], 0.0f);
}

TEST(Interpreter, RefusesInputsOfAnotherShape) {
  Interpreter interpreter(graph_of({2, 3}, {node_of("relu", Relu{}, {"x"})}));
  const std::pair<Array, const char*> kCases[] = {
      {{{6}, std::vector<float>(6)}, "expected shape [batch, 2, 3], got [6]"},
      {{{1, 3, 2}, std::vector<float>(6)}, "expected shape [batch, 2, 3], got [1, 3, 2]"},
      {{{-1, 2, 3}, {}}, "expected shape [batch, 2, 3], got [-1, 2, 3]"},
      {{{}, {}}, "expected shape [batch, 2, 3], got []"},
      {{{2, 2, 3}, std::vector<float>(6)}, "expected 12 values for shape [2, 2, 3], got 6"},
      {{{1, 2, 3}, std::vector<float>(7)}, "expected 6 values for shape [1, 2, 3], got 7"},
      {{{std::numeric_limits<std::int64_t>::max(), 2, 3}, std::vector<float>(6)},
       "expected shape [batch, 2, 3], got [9223372036854775807, 2, 3]"},
  };
  for (const auto& [x, message] : kCases)
    EXPECT_EQ(error_of([&] { interpreter.run(x); }), std::string("[runtime] x: ") + message);
}

TEST(Interpreter, RefusesGraphsAndThreadCountsThatAreNone) {
  std::mt19937 random(5);
  Graph graph = graph_of({4}, {node_of("fc", random_linear(kWeightKinds[1], 2, 4, random), {"x"})});
  EXPECT_EQ(error_of([&] { Interpreter(graph, 0); }), "[runtime] threads: expected at least 1, got 0");
  graph.outputs = {"y"};
  EXPECT_EQ(error_of([&] { Interpreter(graph, 1); }),
            "[graph] output: expected the name of a value, got \"y\"");
}

TEST(Interpreter, TakesOneArrayAnInput) {
  Interpreter interpreter(graph::graph_of_everything());
  std::vector<Array> x = random_inputs(interpreter.graph(), 2, 1);
  EXPECT_EQ(error_of([&] { interpreter.run(std::span(x).first(1)); }), "[runtime] expected 2 inputs, got 1");
  EXPECT_EQ(error_of([&] { interpreter.run(x[0]); }),
            "[runtime] expected a graph of one output, got 2; run a list of inputs");
  x[1] = random_inputs(interpreter.graph(), 3, 1)[1];
  EXPECT_EQ(error_of([&] { interpreter.run(x); }),
            "[runtime] z: expected batch 2 as in x, got shape [3, 64] for [batch, 64]");
}

/// Tokens [batch, sequence] and a mask of them: rows of a table, with positions, masked, the last one of
/// each.
Graph graph_of_tokens() {
  std::mt19937 random(12);
  const graph::ConstantTensor positions{.shape = {9, 4}, .floats = graph::random_floats(36, random)};
  const graph::ConstantTensor nothing{.shape = {}, .floats = {-1e9f}};
  const graph::Dimension length = graph::kSequence;
  Graph graph = graph_of({4}, {node_of("table", graph::Embedding{random_tensor({11, 4}, random)}, {"tokens"}),
                               node_of("positions", graph::Constant{positions}, {}),
                               node_of("used", graph::Slice{0, 0, length}, {"positions.y"}),
                               node_of("sum", graph::Add{}, {"table.y", "used.y"}),
                               node_of("column", graph::Reshape{{graph::kBatch, length, 1}}, {"mask"}),
                               node_of("nothing", graph::Constant{nothing}, {}),
                               node_of("masked", graph::Where{}, {"column.y", "sum.y", "nothing.y"}),
                               node_of("last", graph::Slice{1, length - 1, length}, {"masked.y"})});
  graph.inputs = {{"tokens", {graph::Dtype::kInt64, {graph::kBatch, length}}},
                  {"mask", {graph::Dtype::kBool, {graph::kBatch, length}}}};
  graph.outputs = {"last.y", "tokens", "column.y"};
  return graph;
}

TEST(Interpreter, TakesAndGivesIntegersAndBoolsOfBatchesAndSequences) {
  expect_as_oracle(graph_of_tokens(), {11, 2});
  Interpreter interpreter(graph_of_tokens());
  const Array tokens{.shape = {1, 2}, .dtype = graph::Dtype::kInt64, .integers = {3, 10}};
  const Array mask{.shape = {1, 2}, .dtype = graph::Dtype::kBool, .flags = {1, 0}};
  const std::vector<Array> y = interpreter.run(std::vector{tokens, mask});
  EXPECT_EQ(y[0].values, std::vector<float>(4, -1e9f));
  EXPECT_EQ(y[1], tokens);
  EXPECT_EQ(y[2], (Array{.shape = {1, 2, 1}, .dtype = graph::Dtype::kBool, .flags = {1, 0}}));
}

TEST(Interpreter, SaysWhichInputsDisagree) {
  Interpreter interpreter(graph_of_tokens());
  const auto tokens = [](std::int64_t batch, std::int64_t length, std::int64_t token = 1) {
    return Array{.shape = {batch, length},
                 .dtype = graph::Dtype::kInt64,
                 .integers = std::vector<std::int64_t>(static_cast<std::size_t>(batch * length), token)};
  };
  const auto mask = [](std::int64_t batch, std::int64_t length, std::uint8_t flag = 1) {
    return Array{.shape = {batch, length},
                 .dtype = graph::Dtype::kBool,
                 .flags = std::vector<std::uint8_t>(static_cast<std::size_t>(batch * length), flag)};
  };
  struct Case {
    Array tokens, mask;
    const char* message;
  };
  const Case kCases[] = {
      {tokens(2, 3), mask(3, 3),
       "mask: expected batch 2 as in tokens, got shape [3, 3] for [batch, sequence]"},
      {tokens(2, 3), mask(2, 4),
       "mask: expected sequence 3 as in tokens, got shape [2, 4] for [batch, sequence]"},
      {tokens(2, 3), Array{{2, 3}, std::vector<float>(6)}, "mask: expected values of bool, got float32"},
      {tokens(2, 3), mask(2, 3, 2), "mask: expected bools of 0 or 1, got 2"},
      {tokens(2, 3),
       {.shape = {2, 3}, .dtype = graph::Dtype::kBool},
       "mask: expected 6 values for shape [2, 3], got 0"},
      {tokens(1, 10), mask(1, 10),
       "used: expected a slice within 0..9 of dimension 0, got 0..10; give it a shorter input"},
      {tokens(1, 2, 11), mask(1, 2), "table: expected an index in 0..10, got 11 at element 0"},
      {tokens(1, 2, -1), mask(1, 2), "table: expected an index in 0..10, got -1 at element 0"},
      {tokens(1, 0), mask(1, 0),
       "last: expected a slice within 0..0 of dimension 1, got -1..0; give it a shorter input"},
  };
  for (const Case& c : kCases)
    EXPECT_EQ(error_of([&] {
                interpreter.run(std::vector{c.tokens, c.mask});
              }),
              std::string("[runtime] ") + c.message);
  EXPECT_EQ(interpreter.run(std::vector{tokens(1, 2), mask(1, 2)})[0].shape, (graph::Sizes{1, 1, 4}));
}

TEST(Interpreter, RefusesValuesThatHaveNoSize) {
  Graph graph = graph_of({4}, {node_of("cut", graph::Slice{1, 2, graph::kSequence}, {"x"})});
  graph.inputs[0].type.shape = {graph::kBatch, graph::kSequence};
  Interpreter interpreter(graph);
  EXPECT_EQ(
      error_of([&] {
        interpreter.run(Array{{2, 1}, {1, 2}});
      }),
      "[runtime] cut: expected an output of sizes >= 0 and at most 2^40 elements, got [2, -1] for [batch, "
      "sequence - 2]");
  Graph wide = graph_of({1}, {node_of("wide", graph::Expand{{graph::kBatch * 2147483647, 1}}, {"one"})});
  wide.inputs.push_back({"one", {graph::Dtype::kFloat32, {1, 1}}});
  EXPECT_EQ(
      error_of([&] {
        Interpreter(wide).run(std::vector{Array{{1000, 1}, std::vector<float>(1000)}, Array{{1, 1}, {1}}});
      }),
      "[runtime] wide: expected an output of sizes >= 0 and at most 2^40 elements, got [2147483647000, 1] "
      "for [2147483647*batch, 1]");
}

TEST(Interpreter, ReportsThePeakThatItsValuesNeed) {
  // Four values of 400 bytes in a row, in two places: each needs the one before it.
  const graph::AvgPool2d pool{};
  Graph graph = graph_of({1, 10, 10}, {node_of("a", pool, {"x"}), node_of("b", pool, {"a.y"}),
                                       node_of("c", pool, {"b.y"}), node_of("d", Relu{}, {"c.y"})});
  Interpreter interpreter(graph);
  EXPECT_EQ(interpreter.memory().values_bytes, 0);
  interpreter.run(Array{{1, 1, 10, 10}, std::vector<float>(100)});
  EXPECT_EQ(interpreter.memory().values_bytes, 2 * 448);  // whole lines
  EXPECT_EQ(interpreter.memory().live_bytes, 2 * 448);
  interpreter.run(Array{{3, 1, 10, 10}, std::vector<float>(300)});
  EXPECT_EQ(interpreter.memory().values_bytes, 2 * 1216);
}

TEST(Interpreter, PassesOnWhatOnNodeThrows) {
  Interpreter interpreter(graph::graph_of_everything(), 2);
  interpreter.on_node = [](const Node& node, const Array&) { throw std::runtime_error(node.name); };
  const std::vector<Array> x = random_inputs(interpreter.graph(), 2, 1);
  EXPECT_EQ(error_of([&] { interpreter.run(x); }), "conv1");
  interpreter.on_node = nullptr;
  EXPECT_EQ(interpreter.run(x)[0].shape, (std::vector<std::int64_t>{2, 5}));
}

/// 0: `action` in a fork of this process gave true.
int exit_code_of_fork(const std::function<bool()>& action) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::alarm(20);
    ::_exit(action() ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

TEST(Interpreter, RunsInAForkWithOneThreadAndSaysSoWithMore) {
  const Graph graph = graph::graph_of_everything();
  const std::vector<Array> x = random_inputs(graph, 2, 1);
  Interpreter alone(graph, 1);
  const Array expected = alone.run(x)[0];
  EXPECT_EQ(exit_code_of_fork([&] { return alone.run(x)[0].values == expected.values; }), 0);
  EXPECT_EQ(exit_code_of_fork([&] {
              auto shared = std::make_unique<Interpreter>(graph, 1);
              return shared->run(x)[0].values == expected.values;
            }),
            0);
  auto several = std::make_unique<Interpreter>(graph, 3);
  several->run(x);
  const std::string process = std::to_string(::getpid());
  EXPECT_EQ(exit_code_of_fork([&] {
              const std::string error = error_of([&] { several->run(x); });
              const bool is_right = error == "[runtime] threads: expected the process that made them, " +
                                                 process + ", got a fork of it, " +
                                                 std::to_string(::getpid()) +
                                                 "; make the interpreter in the process that runs it";
              several.reset();  // waits for no thread that is not there
              return is_right;
            }),
            0);
  expect_same_bits(several->run(x)[0], expected);
}

}  // namespace
}  // namespace samebits::runtime
