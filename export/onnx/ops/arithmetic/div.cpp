#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void div(const OnnxNode& out) {
  out.onnx.add("Div", out.node.inputs, "div");
}

}  // namespace samebits::onnx_forms
