#include "graph/ops/normalize/layer_norm.h"

#include "export/onnx/ops/normalize/weights.h"

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void layer_norm(const OnnxNode& out) {
  const auto& norm = out.node.as<graph::LayerNorm>();
  const graph::Sizes shape = last_sizes(out, norm.dims);
  std::vector<std::string> inputs = {out.node.inputs[0], weight_or_ones(out, norm.weight, shape)};
  if (!norm.bias.empty()) inputs.push_back(out.onnx.constant("bias", norm.bias, shape));
  out.onnx.add("LayerNormalization", inputs, "layer_norm");
  out.onnx.set("axis", -norm.dims);
  out.onnx.set_float("epsilon", norm.eps);
}

}  // namespace samebits::onnx_forms
