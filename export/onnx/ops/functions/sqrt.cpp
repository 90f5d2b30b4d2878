#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void sqrt(const OnnxNode& out) {
  out.onnx.add("Sqrt", out.node.inputs, "sqrt");
}

}  // namespace samebits::onnx_forms
