// Elu has no scales: it makes e^(x input_scale) - 1 of negative inputs, and a Where puts the others in place.
#include "graph/ops/functions/elu.h"

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void elu(const OnnxNode& out) {
  const auto& elu = out.node.as<graph::Elu>();
  const std::string& x = out.node.inputs[0];
  const std::string z = out.onnx.add("Mul", {x, scalar(out, "input_scale", elu.input_scale)}, "z");
  const std::string below = out.onnx.add(
      "Mul", {out.onnx.add("Elu", {z}, "elu"), scalar(out, "negative_scale", elu.alpha * elu.scale)},
      "below");
  const std::string above = out.onnx.add("Mul", {x, scalar(out, "scale", elu.scale)}, "above");
  const std::string is_above = out.onnx.add("Greater", {x, scalar(out, "zero", 0)}, "is_above");
  out.onnx.add("Where", {is_above, above, below}, "scaled_elu");
}

}  // namespace samebits::onnx_forms
