#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void mul(const OnnxNode& out) {
  out.onnx.add("Mul", out.node.inputs, "mul");
}

}  // namespace samebits::onnx_forms
