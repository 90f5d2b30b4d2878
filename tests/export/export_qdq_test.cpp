// The form of QDQ files: nodes and integers, and what TensorRT's rules find. What engines make of them is in
// tests/python/test_export_qdq.py.
#include <gmock/gmock.h>

#include <fstream>
#include <functional>
#include <limits>

#include "export/onnx/qdq_layer.h"
#include "export/onnx/tensorrt_rules.h"
#include "tests/export/onnx_models.h"
#include "tests/io/test_files.h"

namespace samebits {
namespace {

using graph::Graph;
using testing::ElementsAre;
using testing::IsEmpty;

constexpr OnnxStyle kQdq = OnnxStyle::kQdq, kTensorrt = OnnxStyle::kTensorrt;

std::int64_t attribute(const onnx::ModelProto& model, const std::string& output, const std::string& name) {
  for (const auto& node : model.graph().node())
    for (const auto& each : node.attribute())
      if (node.output(0) == output && each.name() == name) return each.i();
  throw std::runtime_error("no " + name + " of " + output);
}

Graph symmetric_linear() {
  Graph graph = small_linear();
  linear_of(graph).input_grid.zero_point = 0;
  return graph;
}

/// A convolution whose codes go through a relu and a pool to a linear layer.
Graph chain() {
  GraphBuilder builder("chain", 3, {1, 4, 4});
  builder.add_conv2d({}, {2, 1, 3, 3});
  builder.add(graph::Relu{});
  builder.add(graph::MaxPool2d{.kernel = {2, 2}});
  builder.add(graph::Flatten{});
  builder.add_linear({}, {2, 2});
  return builder.graph;
}

TEST(ExportQdq, WritesEachLayerInItsForm) {
  const std::string input = "QuantizeLinear DequantizeLinear ", weight = "DequantizeLinear ";
  const Scheme groups{.weight_bits = 4, .granularity = Granularity::kPerGroup, .group_size = 4};
  struct Case {
    const char* why;
    Graph graph;
    std::string ops;
  };
  GraphBuilder tokens("tokens", 5, {7, 3});
  tokens.add_linear({}, {2, 3});
  const Case cases[] = {
      {"rows", one_linear({}, 3), input + weight + "DequantizeLinear Gemm"},
      {"no bias", one_linear({.has_bias = false}, 3), input + weight + "Gemm"},
      {"tokens: no engine has a bias of integers there", tokens.graph, input + weight + "MatMul Add"},
      {"groups", one_linear(groups, 8), input + weight + "MatMul Add"},
      {"a last group that is short", one_linear(groups, 9), input + weight + "Slice MatMul Add"},
      {"a grid narrower than 8 bits", one_linear({.x_qmin = -8, .x_qmax = 7}, 3),
       "Clip " + input + weight + "DequantizeLinear Gemm"},
      {"conv2d", one_conv2d({}, 2), input + weight + "DequantizeLinear Conv"},
      {"codes between layers", chain(),
       input + weight + "DequantizeLinear Conv Relu " + input + "MaxPool " + input + "Flatten " + input +
           weight + "DequantizeLinear Gemm"},
      {"average pool", one_op(graph::AvgPool2d{.kernel = {1, 3}}), "AveragePool"},
      {"two bounds", one_op(graph::Clamp{0.0f, 6.0f}), "Clip"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    EXPECT_EQ(ops(c.graph, kQdq), c.ops);
  }
}

TEST(ExportQdq, HoldsTheCodesOfTheGraphAndABiasOfWholeSteps) {
  const onnx::ModelProto model = exported(small_linear(), kQdq);
  EXPECT_THAT(values<std::int8_t>(constant(model, "linear_0/weight")), ElementsAre(1, -2, 3, 40, 50, -60));
  EXPECT_THAT(constant(model, "linear_0/weight").dims(), ElementsAre(2, 3));
  EXPECT_THAT(values<float>(constant(model, "linear_0/weight_scale")), ElementsAre(0.3f, 0.7f));
  EXPECT_THAT(values<std::int8_t>(constant(model, "linear_0/weight_zero_point")), ElementsAre(0, 0));
  EXPECT_THAT(values<std::int8_t>(constant(model, "linear_0/x_zero_point")), ElementsAre(3));
  EXPECT_THAT(values<float>(constant(model, "linear_0/bias_scale")), ElementsAre(0.1f * 0.3f, 0.1f * 0.7f));
  EXPECT_THAT(values<std::int32_t>(constant(model, "linear_0/bias")), ElementsAre(17, -7));  // 16.67, -7.14
  EXPECT_EQ(attribute(model, "linear_0/weight_on_grid", "axis"), 0);
}

TEST(ExportQdq, ABiasThatInt32CannotHoldBesideTheSumsStaysFloat) {
  const float steps[] = {1.0f, 0.5f};
  const std::int64_t most = std::numeric_limits<std::int32_t>::max();
  EXPECT_THAT(bias_codes({3.0f, -1.25f}, steps, 100), testing::Optional(ElementsAre(3, -2)));
  EXPECT_THAT(bias_codes({100.0f, 0.0f}, steps, most - 100), testing::Optional(ElementsAre(100, 0)));
  EXPECT_EQ(bias_codes({101.0f, 0.0f}, steps, most - 100), std::nullopt);
  EXPECT_EQ(bias_codes({0.0f, 1.0f}, std::vector{1.0f, 0.0f}, 0), std::nullopt);  // a step of 0
  Graph graph = small_linear();
  linear_of(graph).bias[1] = 1e12f;
  EXPECT_EQ(ops(graph, kQdq), "QuantizeLinear DequantizeLinear DequantizeLinear Gemm");
  EXPECT_THAT(values<float>(constant(exported(graph, kQdq), "linear_0/bias")), ElementsAre(0.5f, 1e12f));
}

TEST(ExportQdq, WeightsOfFourBitsAreInt4InBlocksOfTheirGroups) {
  Graph graph = one_linear({.weight_bits = 4, .granularity = Granularity::kPerGroup, .group_size = 4}, 6);
  quant::QuantizedTensor& weight = linear_of(graph).weight;
  weight.codes = {1, -2, 3, -4, 5, -6, 7, -7, 6, -5, 4, -3};
  weight.scale = {1, 2, 3, 4};
  const onnx::ModelProto model = exported(graph, kQdq);
  const onnx::TensorProto& stored = constant(model, "linear_0/weight");
  EXPECT_EQ(stored.data_type(), onnx::TensorProto::INT4);
  EXPECT_THAT(stored.dims(), ElementsAre(8, 2));
  // [in, out], two a byte, the first in the low bits: (1, 7), (-2, -7), (3, 6), …; then what fills up.
  EXPECT_THAT(values<std::uint8_t>(stored), ElementsAre(0x71, 0x9e, 0x63, 0xbc, 0x45, 0xda, 0, 0));
  EXPECT_THAT(values<std::int64_t>(constant(model, "linear_0/end")), ElementsAre(6));
  EXPECT_THAT(constant(model, "linear_0/weight_scale").dims(), ElementsAre(2, 2));
  EXPECT_THAT(values<float>(constant(model, "linear_0/weight_scale")), ElementsAre(1, 3, 2, 4));
  EXPECT_EQ(attribute(model, "linear_0/weight_on_grid", "axis"), 0);
  EXPECT_EQ(attribute(model, "linear_0/weight_on_grid", "block_size"), 4);
}

TEST(ExportQdq, RowsOfInt4EndWithABytesEnd) {
  const Scheme scheme{.weight_bits = 4};
  const auto type = [&](const Graph& graph, OnnxStyle style) {
    return constant(exported(graph, style), graph.nodes[0].name + "/weight").data_type();
  };
  EXPECT_EQ(type(one_linear(scheme, 6), kQdq), onnx::TensorProto::INT4);
  EXPECT_EQ(type(one_linear(scheme, 7), kQdq), onnx::TensorProto::INT8);
  EXPECT_EQ(type(one_conv2d(scheme, 1), kQdq), onnx::TensorProto::INT4);
}

TEST(ExportQdq, ANegativeFactorOfAChannelNegatesItsCodes) {
  quant::QuantizedTensor weight;
  weight.encoding = {.bits = 8, .qmin = -127, .qmax = 127};
  weight.shape = {2, 2};
  weight.codes = {1, -127, 3, 4};
  weight.scale = {0.5f, 0.25f};
  QdqWeight turned = qdq_weight(weight, {-2.0f, 4.0f}, kQdq);
  EXPECT_THAT(turned.codes, ElementsAre(-1, 127, 3, 4));
  EXPECT_THAT(turned.scale, ElementsAre(1.0f, 1.0f));
  EXPECT_THAT(turned.zero_point, ElementsAre(0, 0));
  weight.encoding = {.bits = 4, .qmin = -8, .qmax = 7};
  weight.codes = {1, -8, -8, 4};
  turned = qdq_weight(weight, {-2.0f, 4.0f}, kQdq);  // 8 is no INT4
  EXPECT_THAT(turned.codes, ElementsAre(-2, 7, -8, 4));
  EXPECT_THAT(turned.zero_point, ElementsAre(-1, 0));
  EXPECT_THAT(qdq_weight(weight, {-2.0f, 4.0f}, kTensorrt).codes, ElementsAre(-1, 8, -8, 4));
  weight.encoding = {.bits = 7, .qmin = -64, .qmax = 63, .symmetric = false};
  weight.zero_point = {-64, 5};
  turned = qdq_weight(weight, {-2.0f, -1.0f}, kQdq);
  EXPECT_THAT(turned.codes, ElementsAre(-2, 7, 7, -5));
  EXPECT_THAT(turned.zero_point, ElementsAre(63, -6));
}

TEST(ExportQdq, AScaleOfTheTensorBecomesOneOfChannelsWithFactors) {
  quant::QuantizedTensor weight;
  weight.encoding.granularity = Granularity::kPerTensor;
  weight.shape = {2, 1};
  weight.codes = {1, 2};
  weight.scale = {0.5f};
  EXPECT_THAT(qdq_weight(weight, {}, kQdq).scale, ElementsAre(0.5f));
  EXPECT_THAT(qdq_weight(weight, {2.0f, 3.0f}, kQdq).scale, ElementsAre(1.0f, 1.5f));
}

TEST(ExportQdq, SaysItsStyleAndTheExactFormSaysNothing) {
  const std::string path = testing::TempDir() + "samebits_qdq_style.onnx";
  for (const OnnxStyle style : {OnnxStyle::kInteger, kQdq, kTensorrt}) {
    export_onnx(symmetric_linear(), path, style);
    EXPECT_EQ(onnx_style(path), style);
  }
  EXPECT_EQ(exported(symmetric_linear()).metadata_props_size(), 0);
  std::ofstream(path) << "no model";
  EXPECT_EQ(error_of([&] { onnx_style(path); }), "[onnx] " + path + ": expected an ONNX file, got another");
  std::filesystem::remove(path);
  EXPECT_EQ(error_of([&] { onnx_style(path); }), "[onnx] " + path + ": expected an ONNX file, got none");
}

TEST(ExportTensorrt, HasFloatBiasesAndInt8WhereThereAreNoBlocks) {
  EXPECT_EQ(ops(symmetric_linear(), kTensorrt), "QuantizeLinear DequantizeLinear DequantizeLinear Gemm");
  Graph graph = symmetric_linear();
  linear_of(graph).weight.encoding = {.bits = 4, .qmin = -8, .qmax = 7};
  linear_of(graph).weight.codes = {1, -2, 3, 4, 5, -6};
  const onnx::ModelProto model = exported(graph, kTensorrt);
  EXPECT_EQ(constant(model, "linear_0/weight").data_type(), onnx::TensorProto::INT8);
  EXPECT_EQ(constant(model, "linear_0/bias").data_type(), onnx::TensorProto::FLOAT);
}

TEST(ExportTensorrt, NamesEachLayerThatBreaksARuleAndTheRule) {
  struct Case {
    const char* why;
    std::function<void(graph::Linear&)> change;
    std::string finding;
  };
  const Case cases[] = {
      {"activations with a zero point", [](graph::Linear& linear) { linear.input_grid.zero_point = 3; },
       "linear_0: symmetric_input: expected input zero point 0, got 3; set activation: {symmetric: true}"},
      {"weights with zero points",
       [](graph::Linear& linear) {
         linear.weight.encoding = {.bits = 7, .qmin = -64, .qmax = 63, .symmetric = false};
         linear.weight.zero_point = {0, -2};
       },
       "linear_0: symmetric_weight: expected weight zero points 0, got -2; set weight: {symmetric: true}"},
      {"a code that has no negative",
       [](graph::Linear& linear) {
         linear.weight.encoding.qmin = -128;
         linear.weight.codes[0] = -128;
         linear.channel_scale = {-1.0f, 1.0f};
       },
       "linear_0: symmetric_weight: expected no code -128 in channels of a negative factor, got one; set "
       "weight: {bits: 8, symmetric: true}"},
      {"a channel that a batch norm switches off",
       [](graph::Linear& linear) {
         linear.channel_scale = {1.0f, 0.0f};
       },
       "linear_0: positive_scale: expected weight scales above 0, got 0; a batch norm has a channel of "
       "factor "
       "0: leave the layer in float"},
      {"a block that is cut off",
       [](graph::Linear& linear) {
         linear.weight.shape = {2, 6};
         linear.weight.codes.resize(12);
         linear.weight.encoding = {
             .bits = 4, .qmin = -8, .qmax = 7, .granularity = Granularity::kPerGroup, .group_size = 4};
         linear.weight.codes.assign(12, 1);
         linear.weight.scale = {1, 1, 1, 1};
       },
       "linear_0: whole_blocks: expected in_features of whole groups of 4, got 6; set weight: {group_size: "
       "…} "
       "to a divisor, or leave it out"},
  };
  EXPECT_THAT(tensorrt_findings(symmetric_linear()), IsEmpty());
  for (const Case& c : cases) {
    SCOPED_TRACE(c.why);
    Graph graph = symmetric_linear();
    c.change(linear_of(graph));
    const auto findings = tensorrt_findings(graph);
    ASSERT_EQ(findings.size(), 1u);
    EXPECT_EQ(to_text(findings[0]), c.finding);
  }
}

TEST(ExportTensorrt, RefusesAGraphWithAllThatItFinds) {
  Graph graph = chain();
  graph.nodes[0].as<graph::Conv2d>().input_grid.zero_point = 1;
  graph.nodes[4].as<graph::Linear>().input_grid.zero_point = -2;
  const std::string path = testing::TempDir() + "samebits_refused.onnx";
  EXPECT_EQ(
      error_of([&] { export_onnx(graph, path, kTensorrt); }),
      "[onnx] " + path +
          ": expected what TensorRT takes, got layers that break its rules:\n  conv2d_0: symmetric_input: "
          "expected input zero point 0, got 1; set activation: {symmetric: true}\n  linear_4: "
          "symmetric_input: expected input zero point 0, got -2; set activation: {symmetric: true}");
  EXPECT_FALSE(std::filesystem::exists(path));
}

}  // namespace
}  // namespace samebits
