#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void abs(const OnnxNode& out) {
  out.onnx.add("Abs", out.node.inputs, "abs");
}

}  // namespace samebits::onnx_forms
