// graph/graph.h: what check() accepts, and the sentence for everything that it does not.
#include "graph/graph.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <span>

#include "tests/graph/graphs.h"
#include "tests/io/test_files.h"

namespace samebits::graph {
namespace {

constexpr float kInf = std::numeric_limits<float>::infinity();
constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();

/// conv -> relu -> max -> flatten -> fc on images of [2, 5, 5].
Graph small_graph() {
  std::mt19937 random(1);
  return graph_of({2, 5, 5},
                  {node_of("conv", random_conv(kWeightKinds[1], {4, 2, 3, 3}, random), {"x"}),
                   node_of("relu", Relu{}, {"conv.y"}), node_of("max", MaxPool2d{{2, 2}}, {"relu.y"}),
                   node_of("flatten", Flatten{}, {"max.y"}),
                   node_of("fc", random_linear(kWeightKinds[6], 3, 16, random), {"flatten.y"})});
}

TEST(CheckGraph, AcceptsEveryOpAndEveryWeightKind) {
  EXPECT_EQ(error_of([] { check(small_graph()); }), "");
  EXPECT_EQ(error_of([] { check(graph_of_everything()); }), "");
}

TEST(CheckGraph, AcceptsAGraphWithoutNodes) {
  EXPECT_EQ(error_of([] { check(graph_of({3}, {})); }), "");
}

struct Case {
  const char* why;
  void (*change)(Graph&);
  const char* message;
};

Conv2d& conv(Graph& g) {
  return g.nodes[0].as<Conv2d>();
}
MaxPool2d& max_pool(Graph& g) {
  return g.nodes[2].as<MaxPool2d>();
}
Linear& fc(Graph& g) {
  return g.nodes[4].as<Linear>();
}
Shape& input_shape(Graph& g) {
  return g.inputs[0].type.shape;
}

void expect_messages(std::span<const Case> cases) {
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    Graph graph = small_graph();
    c.change(graph);
    EXPECT_EQ(error_of([&] { check(graph); }), std::string("[graph] ") + c.message);
  }
}

TEST(CheckGraph, RefusesValuesThatDoNotConnect) {
  const Case kCases[] = {
      {"a value is used before it is made", [](Graph& g) { std::swap(g.nodes[0], g.nodes[1]); },
       "relu: expected an input made before it, got \"conv.y\""},
      {"a node reads itself", [](Graph& g) { g.nodes[1].inputs = {std::string("relu.y")}; },
       "relu: expected an input made before it, got \"relu.y\""},
      {"the output is no value", [](Graph& g) { g.outputs = {"y"}; },
       "output: expected the name of a value, got \"y\""},
      {"two nodes of one name", [](Graph& g) { g.nodes[1].name = std::string("conv"); },
       "conv: expected every name once, got two nodes of this name"},
      {"a node without a name", [](Graph& g) { g.nodes[1].name.clear(); },
       "node 1: expected a name, got none"},
      {"a value made twice", [](Graph& g) { g.nodes[1].outputs = {"conv.y"}; },
       "relu: expected every value to be made once, got a second \"conv.y\""},
      {"a value named like the input", [](Graph& g) { g.nodes[1].outputs = {"x"}; },
       "relu: expected every value to be made once, got a second \"x\""},
      {"no input", [](Graph& g) { g.nodes[1].inputs = {}; }, "relu: expected 1 inputs for op relu, got 0"},
      {"an add of one", [](Graph& g) { g.nodes[1] = node_of("add", Add{}, {"x"}); },
       "add: expected 2 inputs for op add, got 1"},
      {"an add of two shapes",
       [](Graph& g) {
         g.nodes[1] = node_of("add", Add{}, {"x", "conv.y"});
       },
       "add: expected inputs whose sizes are equal or 1, got [batch, 2, 5, 5] and [batch, 4, 3, 3]"},
      {"a node without an op", [](Graph& g) { g.nodes[1].op = nullptr; }, "relu: expected an op, got none"},
      {"a second output", [](Graph& g) { g.nodes[1].outputs.push_back("more"); },
       "relu: expected 1 outputs for op relu, got 2"},
      {"two inputs of a name", [](Graph& g) { g.inputs.push_back(g.inputs[0]); },
       "x: expected every value to be made once, got two inputs of this name"},
      {"an input without a name", [](Graph& g) { g.inputs[0].name.clear(); },
       "inputs: expected a name for each, got none"},
      {"a batch that no input tells", [](Graph& g) { input_shape(g)[0].factors[0] = 2; },
       "x: expected an input with a size that is batch alone, got [2*batch, 2, 5, 5]"},
      {"integers", [](Graph& g) { g.inputs[0].type.dtype = Dtype::kInt64; },
       "conv: expected an input of float32, got int64"},
      {"a width that a call decides", [](Graph& g) { input_shape(g)[3] = kSequence; },
       "conv: expected a number as size 3 of its input, got [batch, 2, 5, sequence]"},
      {"no sizes", [](Graph& g) { input_shape(g).clear(); },
       "x: expected a shape of at least one size, got []"},
      {"an input without elements",
       [](Graph& g) {
         input_shape(g) = {kBatch, 0};
       },
       "x: expected sizes >= 1 of at most 2147483648 elements together, got [1, 0]"},
      {"an input beyond every memory",
       [](Graph& g) {
         input_shape(g) = {kBatch, kHuge, kHuge};
       },
       "x: expected sizes >= 1 of at most 2147483648 elements together, got [1, "
       "9223372036854775807, 9223372036854775807]"},
  };
  expect_messages(kCases);
}

TEST(CheckGraph, RefusesShapesAndWindowsThatDoNotFit) {
  const Case kCases[] = {
      {"a linear of other features",
       [](Graph& g) { g.nodes.erase(g.nodes.begin() + 3), g.nodes[3].inputs = {"max.y"}; },
       "fc: expected an input of shape [batch, ..., 16] for its weight, got [batch, 4, 2, 2]"},
      {"a conv of vectors",
       [](Graph& g) {
         input_shape(g) = {kBatch, 50};
       },
       "conv: expected an input of shape [batch, channels, height, width], got [batch, 50]"},
      {"a conv of other channels",
       [](Graph& g) {
         input_shape(g) = {kBatch, 3, 5, 5};
       },
       "conv: expected 2 input channels in each of 1 groups, got an input of [batch, 3, 5, 5]"},
      {"groups that do not divide", [](Graph& g) { conv(g).groups = 3; },
       "conv: expected groups that divide 4 output channels, got 3"},
      {"no groups", [](Graph& g) { conv(g).groups = 0; },
       "conv: expected groups that divide 4 output channels, got 0"},
      {"a window larger than the image",
       [](Graph& g) {
         input_shape(g) = {kBatch, 2, 2, 5};
       },
       "conv: expected a window within 2 padded elements, got 3"},
      {"dilation that leads out of the image",
       [](Graph& g) {
         conv(g).dilation = {1, 3};
       },
       "conv: expected a window within 5 padded elements, got 7"},
      {"no stride",
       [](Graph& g) {
         conv(g).stride = {1, 0};
       },
       "conv: expected kernel, stride and dilation in 1..32768, got 0"},
      {"a dilation beyond every image",
       [](Graph& g) {
         conv(g).dilation = {kHuge, 1};
       },
       "conv: expected kernel, stride and dilation in 1..32768, got 9223372036854775807"},
      {"negative padding",
       [](Graph& g) {
         conv(g).padding = {0, -1};
       },
       "conv: expected padding in 0..32768, got -1"},
      {"padding larger than half a pool's kernel",
       [](Graph& g) {
         max_pool(g).padding = {2, 0};
       },
       "max: expected padding of at most half the kernel, 1, got 2"},
      {"an output beyond every memory",
       [](Graph& g) {
         conv(g).padding = {32768, 32768};
       },
       "conv: expected sizes >= 1 of at most 2147483648 elements together, got [1, 4, 65539, 65539]"},
      {"flatten with the batch", [](Graph& g) { g.nodes[3].as<Flatten>().start_dim = 0; },
       "flatten: expected start_dim in 1..3 for an input of shape [batch, 4, 2, 2], got 0"},
      {"flatten behind the last dimension", [](Graph& g) { g.nodes[3].as<Flatten>().start_dim = 4; },
       "flatten: expected start_dim in 1..3 for an input of shape [batch, 4, 2, 2], got 4"},
  };
  expect_messages(kCases);
}

TEST(CheckGraph, RefusesWeightsThatAreNone) {
  const Case kCases[] = {
      {"a conv weight of two dimensions",
       [](Graph& g) {
         conv(g).weight.shape = {4, 18};
       },
       "conv: weight: expected shape [out, in / groups, height, width], got [4, 18]"},
      {"a linear weight of four",
       [](Graph& g) {
         fc(g).weight.shape = {3, 4, 2, 2};
       },
       "fc: weight: expected shape [out, in], got [3, 4, 2, 2]"},
      {"no output channels",
       [](Graph& g) {
         fc(g).weight.shape = {0, 16};
       },
       "fc: weight: expected sizes >= 1 of at most 2147483648 elements together, got [0, 16]"},
      {"a product that overflows",
       [](Graph& g) {
         fc(g).weight.shape = {kHuge, kHuge};
       },
       "fc: weight: expected sizes >= 1 of at most 2147483648 elements together, got [9223372036854775807, "
       "9223372036854775807]"},
      {"too few codes", [](Graph& g) { fc(g).weight.codes.pop_back(); },
       "fc: weight: expected 48 values, got 47"},
      {"scales for another group size", [](Graph& g) { fc(g).weight.encoding.group_size = 8; },
       "fc: weight_scale: expected 6 values, got 12"},
      {"two scales for four channels", [](Graph& g) { conv(g).weight.scale.resize(2); },
       "conv: weight_scale: expected 4 values, got 2"},
      {"no scales", [](Graph& g) { conv(g).weight.scale.clear(); },
       "conv: weight_scale: expected 4 values, got 0"},
      {"one zero point for four channels",
       [](Graph& g) {
         std::mt19937 random(1);
         conv(g).weight = random_weight(kWeightKinds[3], {4, 2, 3, 3}, random);
         conv(g).weight.zero_point.resize(1);
       },
       "conv: weight_zero_point: expected 4 values, got 1"},
      {"a bias for other channels", [](Graph& g) { fc(g).bias.resize(2); },
       "fc: bias: expected 3 values, got 2"},
      {"factors of other channels",
       [](Graph& g) {
         fc(g).channel_scale = {1, 2};
       },
       "fc: channel_scale: expected 3 values, got 2"},
      {"a factor that is not finite",
       [](Graph& g) {
         conv(g).channel_scale = {1, 0, -2, HUGE_VALF};
       },
       "conv: channel_scale: expected finite values, got inf"},
      {"groups of a conv",
       [](Graph& g) {
         conv(g).weight.encoding.granularity = quant::Granularity::kPerGroup;
         conv(g).weight.encoding.group_size = 32;
       },
       "conv: weight: expected group_size 0 of a conv2d, got 32"},
      {"an odd group size", [](Graph& g) { fc(g).weight.encoding.group_size = 5; },
       "fc: weight: expected a group_size that is a multiple of 4, or 0 for none, got 5"},
      {"a negative group size", [](Graph& g) { fc(g).weight.encoding.group_size = -4; },
       "fc: weight: expected a group_size that is a multiple of 4, or 0 for none, got -4"},
      {"a group size whose sums overflow", [](Graph& g) { fc(g).weight.encoding.group_size = kHuge - 1; },
       "fc: weight: expected a group_size that is a multiple of 4, or 0 for none, got 9223372036854775806"},
  };
  expect_messages(kCases);
}

TEST(CheckGraph, RefusesGridsThatAreNone) {
  const Case kCases[] = {
      {"a scale of 0", [](Graph& g) { conv(g).input_grid.scale = 0; },
       "conv: input_grid: expected a finite value >= 2^-126, got 0"},
      {"an infinite scale", [](Graph& g) { conv(g).weight.scale[3] = kInf; },
       "conv: weight_scale: expected a finite value >= 2^-126, got inf"},
      {"a bias that is NaN", [](Graph& g) { conv(g).bias[1] = std::nanf(""); },
       "conv: bias: expected numbers, got NaN; look at the steps that trained it"},
      {"a scale that is NaN", [](Graph& g) { conv(g).weight.scale[0] = std::nanf(""); },
       "conv: weight_scale: expected a finite value >= 2^-126, got nan"},
      {"a denormal scale", [](Graph& g) { conv(g).weight.scale[0] = 0x1p-127f; },
       "conv: weight_scale: expected a finite value >= 2^-126, got 5.87747e-39"},
      {"a range beyond int8", [](Graph& g) { conv(g).input_grid.qmax = 128; },
       "conv: input_grid: expected -128 <= qmin < qmax <= 127, got qmin -128 and qmax 128"},
      {"a range of one code", [](Graph& g) { conv(g).input_grid.qmax = -128; },
       "conv: input_grid: expected -128 <= qmin < qmax <= 127, got qmin -128 and qmax -128"},
      {"a zero point outside", [](Graph& g) { conv(g).input_grid.zero_point = 128; },
       "conv: input_grid: expected a zero point in -128..127, got 128"},
      {"1 bit", [](Graph& g) { fc(g).weight.encoding.bits = 1; }, "fc: weight: expected bits in 2..8, got 1"},
      {"9 bits", [](Graph& g) { fc(g).weight.encoding.bits = 9; },
       "fc: weight: expected bits in 2..8, got 9"},
      {"a range beyond the bits", [](Graph& g) { fc(g).weight.encoding.bits = 3; },
       "fc: weight: expected -4 <= qmin < qmax <= 3, got qmin -8 and qmax 7"},
      {"8 bits with zero points",
       [](Graph& g) {
         conv(g).weight.encoding.symmetric = false;
         conv(g).weight.zero_point = {0, 0, 0, 0};
       },
       "conv: weight: expected at most 7 bits of a weight with zero points, got 8"},
      {"a symmetric range without 0", [](Graph& g) { fc(g).weight.encoding.qmin = 1; },
       "fc: weight: expected a zero point in 1..7, got 0"},
      {"a zero point that is no code",
       [](Graph& g) {
         fc(g).weight.encoding.symmetric = false;
         fc(g).weight.zero_point.assign(12, 8);
       },
       "fc: weight_zero_point: expected a zero point in -8..7, got 8"},
      {"zero points of a symmetric weight", [](Graph& g) { fc(g).weight.zero_point.assign(12, 0); },
       "fc: weight_zero_point: expected 0 values, got 12"},
      {"a code below the range", [](Graph& g) { conv(g).weight.codes[70] = -128; },
       "conv: weight: expected codes in -127..127, got -128"},
      {"a code above the range", [](Graph& g) { fc(g).weight.codes[0] = 8; },
       "fc: weight: expected codes in -8..7, got 8"},
  };
  expect_messages(kCases);
}

TEST(CheckGraph, RefusesFloatLayersThatAreNone) {
  std::mt19937 random(1);
  const FloatLinear linear{random_tensor({3, 4}, random), {1, 2, 3}};
  const auto error = [](FloatLinear changed) {
    return error_of([&] { check(graph_of({4}, {node_of("fc", std::move(changed), {"x"})})); });
  };
  EXPECT_EQ(error(linear), "");
  FloatLinear wrong = linear;
  wrong.weight.values.pop_back();
  EXPECT_EQ(error(wrong), "[graph] fc: weight: expected 12 values, got 11");
  wrong = linear;
  wrong.bias.pop_back();
  EXPECT_EQ(error(wrong), "[graph] fc: bias: expected 3 values, got 2");
  wrong = linear;
  wrong.channel_scale = {1, 2, 3, 4};
  EXPECT_EQ(error(wrong), "[graph] fc: channel_scale: expected 3 values, got 4");
  wrong = linear;
  wrong.weight.shape = {3, 2, 2};
  EXPECT_EQ(error(wrong), "[graph] fc: weight: expected shape [out, in], got [3, 2, 2]");
  wrong = {random_tensor({3, 5}, random), {}};
  EXPECT_EQ(error(wrong),
            "[graph] fc: expected an input of shape [batch, ..., 5] for its weight, got [batch, 4]");
}

TEST(CheckGraph, RefusesSumsThatCouldOverflowInt32) {
  // 2^31 / (255 * 127) is 66311.03: one product more can overflow.
  for (const std::int64_t features : {66311, 66312}) {
    Linear linear{kInputGrid, {}, {}};
    linear.weight.shape = {1, features};
    linear.weight.codes.resize(static_cast<std::size_t>(features));
    linear.weight.scale = {1.0f};
    EXPECT_EQ(error_of([&] { check(graph_of({features}, {node_of("fc", linear, {"x"})})); }),
              features == 66311
                  ? ""
                  : "[graph] fc: expected at most 66311 products a sum for int32, got 66312; use "
                    "fewer bits or split the layer");
    linear.weight.encoding.granularity = quant::Granularity::kPerGroup;
    linear.weight.encoding.group_size = 1024;
    linear.weight.scale.assign(65, 1.0f);
    EXPECT_EQ(error_of([&] { check(graph_of({features}, {node_of("fc", linear, {"x"})})); }), "");
  }
}

TEST(CheckGraph, InfersTypesThatDependOnBatchAndSequence) {
  std::mt19937 random(1);
  Graph graph = graph_of({7}, {node_of("fc", random_linear(kWeightKinds[1], 5, 7, random), {"x"}),
                               node_of("flatten", Flatten{1}, {"fc.y"})});
  graph.inputs[0].type.shape = {kBatch, kSequence, 7};
  const std::vector<TensorType> types = checked_types(graph);
  EXPECT_EQ(to_text(types[1].shape), "[batch, sequence, 5]");
  EXPECT_EQ(to_text(types[2].shape), "[batch, 5*sequence]");
}

TEST(Dimension, ReadsWhatItWritesAndNothingElse) {
  Dimension sum{Symbol::kBatch};
  sum.factors = {2, -1};
  sum.offset = -3;
  Dimension negative{Symbol::kBatch};
  negative.factors = {-1, 0};
  const std::pair<Dimension, const char*> kCases[] = {{8, "8"},
                                                      {0, "0"},
                                                      {-2, "-2"},
                                                      {kBatch, "batch"},
                                                      {negative, "-batch"},
                                                      {sum, "2*batch - sequence - 3"}};
  for (const auto& [dimension, text] : kCases) {
    EXPECT_EQ(to_text(dimension), text);
    Dimension read = 77;
    EXPECT_TRUE(parse(text, read)) << text;
    EXPECT_EQ(read, dimension) << text;
  }
  for (const char* text :
       {"", "x", "batch ", " batch", "1*batch", "batch + 0", "1 + batch", "batch+1", "2 * batch",
        "batch + -1", "99999999999", "batch*2", "2*", "batch +", "0*batch", "--1"}) {
    Dimension read = 77;
    EXPECT_FALSE(parse(text, read)) << text;
  }
  EXPECT_EQ(sum.at({10, 4}), 2 * 10 - 4 - 3);
}

TEST(Operators, AreFoundByTheirNames) {
  for (const Operator* op : operators()) {
    EXPECT_EQ(find_operator(op->name), op);
    EXPECT_EQ(operators()[index_of(*op)], op);
  }
  EXPECT_EQ(find_operator("softplus"), nullptr);
}

}  // namespace
}  // namespace samebits::graph
