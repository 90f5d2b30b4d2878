#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void silu(const OnnxNode& out) {
  const std::string& x = out.node.inputs[0];
  out.onnx.add("Mul", {x, out.onnx.add("Sigmoid", {x}, "sigmoid")}, "silu");
}

}  // namespace samebits::onnx_forms
