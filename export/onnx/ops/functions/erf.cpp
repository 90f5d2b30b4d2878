#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void erf(const OnnxNode& out) {
  out.onnx.add("Erf", out.node.inputs, "erf");
}

}  // namespace samebits::onnx_forms
