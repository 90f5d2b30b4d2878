#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void log(const OnnxNode& out) {
  out.onnx.add("Log", out.node.inputs, "log");
}

}  // namespace samebits::onnx_forms
