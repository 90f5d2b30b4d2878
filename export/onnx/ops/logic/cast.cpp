#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void cast(const OnnxNode& out) {
  out.onnx.add("Cast", out.node.inputs, "cast");
  out.onnx.set("to", onnx_type(out.output.dtype));
}

}  // namespace samebits::onnx_forms
