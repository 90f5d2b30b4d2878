// Selections, not Clip: what Clip makes of -0 at a bound of 0 is the engine's choice. QDQ files promise no
// bits, and engines fuse a Clip.
#include "graph/ops/elementwise/clamp.h"

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {
namespace {

void write_clip(const OnnxNode& out, const graph::Clamp& clamp) {
  const std::string low = clamp.low == graph::kNoLow ? "" : scalar(out, "low", clamp.low);
  std::vector<std::string> inputs = {out.x(), low};
  if (clamp.high != graph::kNoHigh) inputs.push_back(scalar(out, "high", clamp.high));
  out.onnx.add("Clip", inputs, "bounded");
}

}  // namespace

void clamp(const OnnxNode& out) {
  const auto& clamp = out.node.as<graph::Clamp>();
  if (!out.is_exact()) return write_clip(out, clamp);
  std::string y = out.x();
  const auto bound_by = [&](const char* what, const char* op, float bound) {
    const std::string limit = out.onnx.constant(what, {&bound, 1}, {});
    y = out.onnx.add("Where", {out.onnx.add(op, {y, limit}, "is_beyond"), limit, y}, "bounded");
  };
  if (clamp.low != graph::kNoLow) bound_by("low", "Less", clamp.low);
  if (clamp.high != graph::kNoHigh) bound_by("high", "Greater", clamp.high);
}

}  // namespace samebits::onnx_forms
