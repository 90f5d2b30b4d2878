// Gemm on rows, MatMul and Add on more dimensions, Mul and Add where channels have a factor: the engine
// chooses the order of the sums.
#include "graph/ops/layers/float_linear.h"

#include "export/onnx/integer_layer.h"
#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {
namespace {

void write_gemm(const OnnxNode& out, const graph::FloatLinear& linear) {
  const graph::Sizes& shape = linear.weight.shape;
  std::vector<std::string> inputs = {out.node.inputs[0],
                                     out.onnx.constant("weight", linear.weight.values, shape)};
  const bool has_scale = !linear.channel_scale.empty();
  if (!has_scale && !linear.bias.empty())
    inputs.push_back(out.onnx.constant("bias", linear.bias, {shape[0]}));
  const std::string y = out.onnx.add("Gemm", inputs, "float");
  out.onnx.set("transB", 1);
  if (has_scale) scale_and_bias(out.onnx, y, linear.channel_scale, linear.bias, {shape[0]});
}

void write_matmul(const OnnxNode& out, const graph::FloatLinear& linear) {
  const std::int64_t n = linear.weight.shape[0], k = linear.weight.shape[1];
  std::vector<float> transposed;
  for (std::int64_t i = 0; i < k; ++i)
    for (std::int64_t c = 0; c < n; ++c) transposed.push_back(linear.weight.values[c * k + i]);
  const std::string y =
      out.onnx.add("MatMul", {out.node.inputs[0], out.onnx.constant("weight", transposed, {k, n})}, "float");
  if (!linear.channel_scale.empty())
    scale_and_bias(out.onnx, y, linear.channel_scale, linear.bias, {n});
  else if (!linear.bias.empty())
    out.onnx.add("Add", {y, out.onnx.constant("bias", linear.bias, {n})}, "biased");
}

}  // namespace

void float_linear(const OnnxNode& out) {
  const auto& linear = out.node.as<graph::FloatLinear>();
  out.output.shape.size() == 2 ? write_gemm(out, linear) : write_matmul(out, linear);
}

}  // namespace samebits::onnx_forms
