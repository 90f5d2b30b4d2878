#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void sigmoid(const OnnxNode& out) {
  out.onnx.add("Sigmoid", out.node.inputs, "sigmoid");
}

}  // namespace samebits::onnx_forms
