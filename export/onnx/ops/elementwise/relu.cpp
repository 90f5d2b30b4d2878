#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void relu(const OnnxNode& out) {
  out.onnx.add("Relu", out.node.inputs, "relu");
}

}  // namespace samebits::onnx_forms
