// Gemm on rows, MatMul and Add on more dimensions: the engine chooses the order of the sums.
#include "graph/ops/layers/float_linear.h"

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {
namespace {

void write_gemm(const OnnxNode& out, const graph::FloatLinear& linear) {
  const graph::Sizes& shape = linear.weight.shape;
  std::vector<std::string> inputs = {out.node.inputs[0],
                                     out.onnx.constant("weight", linear.weight.values, shape)};
  if (!linear.bias.empty()) inputs.push_back(out.onnx.constant("bias", linear.bias, {shape[0]}));
  out.onnx.add("Gemm", inputs, "float");
  out.onnx.set("transB", 1);
}

void write_matmul(const OnnxNode& out, const graph::FloatLinear& linear) {
  const std::int64_t n = linear.weight.shape[0], k = linear.weight.shape[1];
  std::vector<float> transposed;
  for (std::int64_t i = 0; i < k; ++i)
    for (std::int64_t c = 0; c < n; ++c) transposed.push_back(linear.weight.values[c * k + i]);
  const std::string y =
      out.onnx.add("MatMul", {out.node.inputs[0], out.onnx.constant("weight", transposed, {k, n})}, "float");
  if (!linear.bias.empty()) out.onnx.add("Add", {y, out.onnx.constant("bias", linear.bias, {n})}, "biased");
}

}  // namespace

void float_linear(const OnnxNode& out) {
  const auto& linear = out.node.as<graph::FloatLinear>();
  out.output.shape.size() == 2 ? write_gemm(out, linear) : write_matmul(out, linear);
}

}  // namespace samebits::onnx_forms
