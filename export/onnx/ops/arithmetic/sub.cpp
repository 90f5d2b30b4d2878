#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void sub(const OnnxNode& out) {
  out.onnx.add("Sub", out.node.inputs, "sub");
}

}  // namespace samebits::onnx_forms
