// Selections, not Clip: what Clip makes of -0 at a bound of 0 is the engine's choice.
#include "graph/ops/elementwise/clamp.h"

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void clamp(const OnnxNode& out) {
  const auto& clamp = out.node.as<graph::Clamp>();
  std::string y = out.x();
  const auto bound_by = [&](const char* what, const char* op, float bound) {
    const std::string limit = out.onnx.constant(what, {&bound, 1}, {});
    y = out.onnx.add("Where", {out.onnx.add(op, {y, limit}, "is_beyond"), limit, y}, "bounded");
  };
  if (clamp.low != graph::kNoLow) bound_by("low", "Less", clamp.low);
  if (clamp.high != graph::kNoHigh) bound_by("high", "Greater", clamp.high);
}

}  // namespace samebits::onnx_forms
