// Selections, not Clip: what Clip makes of -0 at a bound of 0 is the engine's choice.
#include "graph/ops/elementwise/clamp.h"

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void clamp(const OnnxNode& out) {
  const auto& clamp = out.node.as<graph::Clamp>();
  const std::string low = out.onnx.constant("low", {&clamp.low, 1}, {});
  const std::string high = out.onnx.constant("high", {&clamp.high, 1}, {});
  const std::string& x = out.node.inputs[0];
  const std::string bounded =
      out.onnx.add("Where", {out.onnx.add("Less", {x, low}, "is_low"), low, x}, "bounded");
  out.onnx.add("Where", {out.onnx.add("Greater", {bounded, high}, "is_high"), high, bounded}, "clamped");
}

}  // namespace samebits::onnx_forms
