#include "graph/ops/shape/pad.h"

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void pad(const OnnxNode& out) {
  const auto& pad = out.node.as<graph::Pad>();
  std::vector<std::int64_t> pads = pad.before;
  pads.insert(pads.end(), pad.after.begin(), pad.after.end());
  std::vector<std::string> inputs = {out.x(), out.onnx.constant("pads", pads)};
  if (pad.mode == graph::PadMode::kConstant)
    inputs.push_back(out.onnx.constant("value", {&pad.value, 1}, {}));
  out.onnx.add("Pad", inputs, "padded");
  constexpr const char* kModes[] = {"constant", "reflect", "edge"};
  out.onnx.set_text("mode", kModes[static_cast<std::size_t>(pad.mode)]);
}

}  // namespace samebits::onnx_forms
