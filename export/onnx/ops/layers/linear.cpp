#include "graph/ops/layers/linear.h"

#include <algorithm>

#include "export/onnx/integer_layer.h"
#include "export/onnx/onnx_node.h"
#include "export/onnx/qdq_layer.h"

namespace samebits::onnx_forms {
namespace {

/// The real sums of inputs [first, last), which `codes` holds.
std::string matmul(const OnnxNode& out, const CenteredCodes& weight, const CodesOfInput& x,
                   const std::string& codes, std::int64_t first, std::int64_t last) {
  const auto& linear = out.node.as<graph::Linear>();
  const std::int64_t out_features = linear.weight.shape[0], in_features = linear.weight.shape[1];
  std::vector<std::int32_t> transposed;
  for (std::int64_t i = first; i < last; ++i)
    for (std::int64_t c = 0; c < out_features; ++c) transposed.push_back(weight.values[c * in_features + i]);
  const std::int64_t x_span = linear.input_grid.qmax - linear.input_grid.qmin;
  const bool is_unsigned = 2 * x_span * weight.magnitude() > kPairLimit;
  const std::int32_t offset = is_unsigned ? -weight.min : 0, zero = 0;
  std::vector<std::string> inputs = {
      codes, out.onnx.codes("weight", transposed, offset, is_unsigned, {last - first, out_features}),
      x.zero_point};
  if (is_unsigned) inputs.push_back(out.onnx.codes("weight_zero_point", {&zero, 1}, offset, true, {}));
  return cast_sums(out.onnx, out.onnx.add("MatMulInteger", inputs, "sums"));
}

void write_plain(const OnnxNode& out) {
  const auto& linear = out.node.as<graph::Linear>();
  const CodesOfInput x = quantize_input(out.onnx, out.node.inputs[0], linear.input_grid, true);
  const std::string sums = matmul(out, centered(linear.weight), x, x.codes, 0, linear.weight.shape[1]);
  scale_and_bias(out.onnx, sums, channel_scales(linear), linear.bias, {linear.weight.shape[0]});
}

std::string group_total(const OnnxNode& out, const CenteredCodes& weight, const CodesOfInput& x,
                        std::int64_t group, const std::string& codes) {
  const auto& linear = out.node.as<graph::Linear>();
  const quant::QuantizedTensor& tensor = linear.weight;
  const std::int64_t out_features = tensor.shape[0], in_features = tensor.shape[1];
  const std::int64_t group_size = tensor.encoding.group_size;
  const std::int64_t groups = quant::groups_per_row(tensor.encoding, in_features);
  std::vector<float> scales(static_cast<std::size_t>(out_features));
  for (std::int64_t c = 0; c < out_features; ++c)
    scales[c] =
        kernels::sum_scale(1.0f, tensor.scale[c * groups + group], factor_of(linear.channel_scale, c));
  const std::string sums =
      matmul(out, weight, x, codes, group * group_size, std::min((group + 1) * group_size, in_features));
  return out.onnx.add("Mul", {sums, out.onnx.constant("group_scale", scales, {out_features})}, "group");
}

/// The codes of each group, by one Split.
std::vector<std::string> split_groups(const OnnxNode& out, const std::string& codes, std::int64_t in_features,
                                      std::int64_t group_size) {
  std::vector<std::int64_t> sizes;
  for (std::int64_t i = 0; i < in_features; i += group_size)
    sizes.push_back(std::min(group_size, in_features - i));
  if (sizes.size() == 1) return {codes};
  std::vector<std::string> parts = {
      out.onnx.add("Split", {codes, out.onnx.constant("group_sizes", sizes)}, "group_codes")};
  out.onnx.set("axis", -1);
  onnx::NodeProto& split = out.onnx.last();
  for (std::size_t g = 1; g < sizes.size(); ++g) {
    parts.push_back(out.onnx.fresh("group_codes"));
    split.add_output(parts.back());
  }
  return parts;
}

void write_grouped(const OnnxNode& out) {
  const auto& linear = out.node.as<graph::Linear>();
  const CodesOfInput x = quantize_input(out.onnx, out.node.inputs[0], linear.input_grid, true);
  const std::vector<std::string> parts =
      split_groups(out, x.codes, linear.weight.shape[1], linear.weight.encoding.group_size);
  const CenteredCodes weight = centered(linear.weight);
  std::string total = group_total(out, weight, x, 0, parts[0]);
  // The total begins with +0, which only shows where a negative factor makes a first part of -0.
  if (!linear.channel_scale.empty()) total = add_zero(out.onnx, total);
  for (std::size_t g = 1; g < parts.size(); ++g)
    total = out.onnx.add("Add", {total, group_total(out, weight, x, static_cast<std::int64_t>(g), parts[g])},
                         "total");
  scale_and_bias(out.onnx, total, {&linear.input_grid.scale, 1}, linear.bias, {linear.weight.shape[0]});
}

/// Gemm on rows, the form that ONNX Runtime fuses with a bias; else MatMul and a float32 bias, which engines
/// fuse with blocks of INT4 along the depth.
void write_qdq(const OnnxNode& out, const graph::Linear& linear) {
  const QdqLayer<graph::Linear> layer{out, linear};
  const std::int64_t out_features = linear.weight.shape[0];
  const std::string x = fake_quantized(out.onnx, out.x(), linear.input_grid);
  const bool has_groups = linear.weight.encoding.granularity == quant::Granularity::kPerGroup;
  if (out.output.shape.size() == 2 && !has_groups) {
    std::vector<std::string> inputs = {x, layer.weight(QdqLayout::kChannelFirst)};
    if (!linear.bias.empty()) inputs.push_back(layer.bias());
    out.onnx.add("Gemm", inputs, "y");
    out.onnx.set("transB", 1);
    return;
  }
  const std::string y = out.onnx.add("MatMul", {x, layer.weight(QdqLayout::kChannelLast)}, "product");
  if (!linear.bias.empty())
    out.onnx.add("Add", {y, out.onnx.constant("bias", linear.bias, {out_features})}, "biased");
}

}  // namespace

void linear(const OnnxNode& out) {
  if (!out.is_exact()) return write_qdq(out, out.node.as<graph::Linear>());
  const bool has_groups =
      out.node.as<graph::Linear>().weight.encoding.granularity == quant::Granularity::kPerGroup;
  has_groups ? write_grouped(out) : write_plain(out);
}

}  // namespace samebits::onnx_forms
