#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void minimum(const OnnxNode& out) {
  out.onnx.add("Min", out.node.inputs, "minimum");
}

}  // namespace samebits::onnx_forms
