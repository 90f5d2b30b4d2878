#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void neg(const OnnxNode& out) {
  out.onnx.add("Neg", out.node.inputs, "neg");
}

}  // namespace samebits::onnx_forms
