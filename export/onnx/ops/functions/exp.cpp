#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void exp(const OnnxNode& out) {
  out.onnx.add("Exp", out.node.inputs, "exp");
}

}  // namespace samebits::onnx_forms
