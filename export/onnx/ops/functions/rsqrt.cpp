#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void rsqrt(const OnnxNode& out) {
  const std::string root = out.onnx.add("Sqrt", out.node.inputs, "root");
  out.onnx.add("Div", {scalar(out, "one", 1), root}, "rsqrt");
}

}  // namespace samebits::onnx_forms
