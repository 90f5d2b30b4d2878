#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void tanh(const OnnxNode& out) {
  out.onnx.add("Tanh", out.node.inputs, "tanh");
}

}  // namespace samebits::onnx_forms
