#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void maximum(const OnnxNode& out) {
  out.onnx.add("Max", out.node.inputs, "maximum");
}

}  // namespace samebits::onnx_forms
