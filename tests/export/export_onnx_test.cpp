// The form of the files: nodes, types and constants. That engines give the right bits with them is shown by
// tests/python/test_export_onnx.py.
#include "export/onnx/export_onnx.h"

#include <gmock/gmock.h>

#include "tests/export/onnx_models.h"

namespace samebits {
namespace {

using graph::Graph;
using testing::ElementsAre;

TEST(ExportOnnx, DeclaresItsVersionsAndProducer) {
  const onnx::ModelProto model = exported(small_linear());
  EXPECT_EQ(model.ir_version(), 10);
  ASSERT_EQ(model.opset_import_size(), 1);
  EXPECT_EQ(model.opset_import(0).version(), 21);
  EXPECT_EQ(model.producer_name(), "samebits");
  EXPECT_THAT(model.producer_version(), testing::MatchesRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
  EXPECT_EQ(model.graph().name(), "small");
}

TEST(ExportOnnx, KeepsTheNamesOfInputAndOutputAndADynamicBatch) {
  const onnx::ModelProto model = exported(small_linear());
  const auto shape = [](const onnx::ValueInfoProto& value) {
    std::string text;
    for (const auto& size : value.type().tensor_type().shape().dim()) {
      text += " " + (size.has_dim_param() ? size.dim_param() : std::to_string(size.dim_value()));
    }
    return value.name() + text;
  };
  EXPECT_EQ(shape(model.graph().input(0)), "x batch 3");
  EXPECT_EQ(shape(model.graph().output(0)), "value_0 batch 2");
}

TEST(ExportOnnx, WritesEachOpInItsForm) {
  const Scheme groups{.weight_bits = 4, .granularity = Granularity::kPerGroup, .group_size = 4};
  struct Case {
    const char* why;
    Graph graph;
    std::string ops;
  };
  const Case cases[] = {
      {"linear", one_linear({}, 3), "QuantizeLinear MatMulInteger Cast Mul Add"},
      {"no bias, no addition", one_linear({.has_bias = false}, 3), "QuantizeLinear MatMulInteger Cast Mul"},
      {"QuantizeLinear saturates at 8 bits only", one_linear({.x_qmin = -127}, 3),
       "QuantizeLinear Clip MatMulInteger Cast Mul Add"},
      {"one Split for three groups", one_linear(groups, 9),
       "QuantizeLinear Split MatMulInteger Cast Mul MatMulInteger Cast Mul Add MatMulInteger Cast Mul Add "
       "Mul Add"},
      {"one group needs no Split, and rounds as groups do", one_linear(groups, 4),
       "QuantizeLinear MatMulInteger Cast Mul Mul Add"},
      {"conv2d", one_conv2d({}, 2), "QuantizeLinear ConvInteger Cast Mul Add"},
      {"relu", one_op(graph::Relu{}), "Relu"},
      {"max pool", one_op(graph::MaxPool2d{.kernel = {2, 2}}), "MaxPool"},
      {"average pool fixes the order of its sum", one_op(graph::AvgPool2d{.kernel = {1, 3}}),
       "Slice Slice Add Slice Add Div Equal Where"},
      {"padding of an average pool", one_op(graph::AvgPool2d{.kernel = {1, 2}, .padding = {0, 1}}),
       "Pad Slice Slice Add Div Equal Where"},
      {"flatten", one_op(graph::Flatten{}), "Flatten"},
      {"flatten of the last dimensions", one_op(graph::Flatten{2}), "Reshape"},
      {"a reshape", one_op(graph::Reshape{{graph::kBatch * 2, 25}}), "Reshape"},
      {"the last element of a batch", one_op(graph::Slice{0, graph::kBatch - 1, graph::kBatch}),
       "Shape Add Shape Slice"},
      {"an average whose windows count differently",
       one_op(graph::AvgPool2d{.kernel = {1, 2}, .stride = {1, 2}, .ceil_mode = true}),
       "Pad Slice Slice Add Div Equal Where"},
      {"one bound", one_op(graph::Clamp{0.5f, graph::kNoHigh}), "Less Where"},
      {"a float layer on rows", one_op(graph::FloatLinear{{{2, 3}, std::vector<float>(6)}, {1, 2}}, {3}),
       "Gemm"},
      {"a float layer on tokens", one_op(graph::FloatLinear{{{2, 3}, std::vector<float>(6)}, {1, 2}}, {4, 3}),
       "MatMul Add"},
      {"a float convolution", one_op(graph::FloatConv2d{.weight = {{2, 2, 1, 1}, std::vector<float>(4)}}),
       "Conv"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    EXPECT_EQ(ops(c.graph), c.ops);
  }
}

TEST(ExportOnnx, KeepsABiasOfZeroThatOptimizersWouldDrop) {
  Graph graph = small_linear();
  linear_of(graph).weight.shape = {1, 3};
  linear_of(graph).weight.codes.resize(3);
  linear_of(graph).weight.scale.resize(1);
  linear_of(graph).bias = {0.0f};
  EXPECT_EQ(ops(graph), "QuantizeLinear MatMulInteger Cast Mul Equal Where");
  linear_of(graph).bias = {-0.0f};  // x + -0 is x
  EXPECT_EQ(ops(graph), "QuantizeLinear MatMulInteger Cast Mul Add");
}

TEST(ExportOnnx, StoresCodesMinusZeroPointsTransposedAndScalesRoundedOnce) {
  Graph graph = small_linear();
  quant::QuantizedTensor& weight = linear_of(graph).weight;
  weight.encoding.bits = 7;
  weight.encoding.qmin = -64;
  weight.encoding.qmax = 63;
  weight.encoding.symmetric = false;
  weight.zero_point = {1, -10};
  const onnx::ModelProto model = exported(graph);
  EXPECT_THAT(values<std::int8_t>(constant(model, "linear_0/weight")), ElementsAre(0, 50, -3, 60, 2, -50));
  EXPECT_THAT(constant(model, "linear_0/weight").dims(), ElementsAre(3, 2));
  EXPECT_THAT(values<float>(constant(model, "linear_0/scale")), ElementsAre(0.1f * 0.3f, 0.1f * 0.7f));
  EXPECT_THAT(values<float>(constant(model, "linear_0/bias")), ElementsAre(0.5f, -0.5f));
  EXPECT_THAT(values<std::uint8_t>(constant(model, "linear_0/x_zero_point")), ElementsAre(131));
}

TEST(ExportOnnx, RepeatsAScaleOfTheWholeTensorForEveryChannel) {
  Graph graph = small_linear();
  linear_of(graph).weight.scale = {0.3f};
  linear_of(graph).weight.encoding.granularity = Granularity::kPerTensor;
  const onnx::ModelProto model = exported(graph);
  EXPECT_THAT(values<float>(constant(model, "linear_0/scale")), ElementsAre(0.1f * 0.3f, 0.1f * 0.3f));
}

TEST(ExportOnnx, NeverLetsTwoProductsPass16BitsWithMixedSigns) {
  struct Case {
    const char* why;
    bool is_linear;
    Scheme scheme;
    int x_type, weight_type;
  };
  constexpr int kInt8 = onnx::TensorProto::INT8, kUint8 = onnx::TensorProto::UINT8;
  const Case cases[] = {
      {"2 * 255 * 127 is too much", true, {}, kUint8, kUint8},
      {"2 * 255 * 63 is not", true, {.weight_bits = 7}, kUint8, kInt8},
      {"2 * 255 * 64 is not", true, {.weight_bits = 7, .is_narrow = false}, kUint8, kInt8},
      {"2 * 129 * 127 = 32766 is not", true, {.x_qmin = -2}, kUint8, kInt8},
      {"2 * 130 * 127 is too much", true, {.x_qmin = -3}, kUint8, kUint8},
      {"2 * 128 * 254 is too much", false, {}, kUint8, kUint8},
      {"2 * 128 * 127 is not", false, {.weight_bits = 7, .is_narrow = false}, kInt8, kUint8},
      {"2 * 64 * 254 = 32512 is not", false, {.x_qmin = -64, .x_qmax = 64}, kInt8, kUint8},
      {"2 * 65 * 254 is too much", false, {.x_qmin = -64, .x_qmax = 65}, kUint8, kUint8},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    Graph graph = c.is_linear ? one_linear(c.scheme, 4) : one_conv2d(c.scheme, 4);
    quant::QuantizedTensor& weight =
        c.is_linear ? linear_of(graph).weight : graph.nodes[0].as<graph::Conv2d>().weight;
    weight.codes[0] = static_cast<std::int8_t>(weight.encoding.qmin);
    weight.codes[1] = static_cast<std::int8_t>(weight.encoding.qmax);
    const onnx::ModelProto model = exported(graph);
    const std::string name = graph.nodes[0].name;
    EXPECT_EQ(constant(model, name + "/x_zero_point").data_type(), c.x_type);
    EXPECT_EQ(constant(model, name + "/weight").data_type(), c.weight_type);
  }
}

TEST(ExportOnnx, TheBytesDependOnTheGraphAlone) {
  EXPECT_EQ(exported_bytes(small_linear()), exported_bytes(small_linear()));
}

TEST(ExportOnnx, GivesItsOwnValuesNamesThatTheGraphDoesNotUse) {
  Graph graph = small_linear();
  graph.outputs = graph.nodes[0].outputs = {"linear_0/x_codes"};
  const onnx::ModelProto model = exported(graph);
  std::vector<std::string> outputs;
  for (const auto& node : model.graph().node()) outputs.push_back(node.output(0));
  EXPECT_THAT(outputs, ElementsAre("linear_0/x_codes_", "linear_0/sums", "linear_0/sums_float",
                                   "linear_0/scaled", "linear_0/x_codes"));
}

TEST(ExportOnnx, DescribesSeveralInputsAndOutputsAndSizesOfTheBatch) {
  Graph graph = graph::graph_of_everything();
  const onnx::ModelProto model = exported(graph);
  ASSERT_EQ(model.graph().input_size(), 2);
  EXPECT_EQ(model.graph().input(1).name(), "z");
  EXPECT_EQ(model.graph().input(1).type().tensor_type().shape().dim(0).dim_param(), "batch");
  ASSERT_EQ(model.graph().output_size(), 2);
  EXPECT_EQ(model.graph().output(1).name(), "add.y");
  EXPECT_EQ(model.graph().output(1).type().tensor_type().shape().dim(1).dim_value(), 4);
}

std::string error_of(const Graph& graph, const std::string& path) {
  try {
    export_onnx(graph, path);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "no error";
}

TEST(ExportOnnx, RefusesAGraphThatIsNotSound) {
  Graph graph = small_linear();
  linear_of(graph).weight.scale[1] = 0.0f;
  const std::string path = testing::TempDir() + "samebits_export_onnx_unsound.onnx";
  EXPECT_EQ(error_of(graph, path),
            "[graph] linear_0: weight_scale: expected a finite value >= 2^-126, got 0");
  EXPECT_FALSE(std::filesystem::exists(path));
}

TEST(ExportOnnx, NamesThePathThatItCannotWrite) {
  const std::string path = testing::TempDir() + "samebits_no_such_folder/net.onnx";
  EXPECT_EQ(error_of(small_linear(), path), "[write] " + path + ": No such file or directory");
}

}  // namespace
}  // namespace samebits
