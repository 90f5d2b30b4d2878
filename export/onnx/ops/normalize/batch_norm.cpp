// Two operators, a rounding each; engines join the steps of BatchNormalization.
#include "graph/ops/normalize/batch_norm.h"

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void batch_norm(const OnnxNode& out) {
  const auto& norm = out.node.as<graph::BatchNorm>();
  graph::Sizes shape(out.output.shape.size() - 1, 1);
  shape[0] = out.output.shape[1].offset;
  const std::string product =
      out.onnx.add("Mul", {out.node.inputs[0], out.onnx.constant("scale", norm.scale, shape)}, "scaled");
  out.onnx.add("Add", {product, out.onnx.constant("bias", norm.bias, shape)}, "batch_norm");
}

}  // namespace samebits::onnx_forms
