#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void add(const OnnxNode& out) {
  out.onnx.add("Add", out.node.inputs, "add");
}

}  // namespace samebits::onnx_forms
