#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void expand(const OnnxNode& out) {
  out.onnx.add("Expand", {out.x(), out.onnx.sizes("shape", out.output.shape)}, "expanded");
}

}  // namespace samebits::onnx_forms
