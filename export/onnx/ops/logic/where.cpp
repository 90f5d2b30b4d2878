#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void where(const OnnxNode& out) {
  if (out.output.dtype != graph::Dtype::kBool) {
    out.onnx.add("Where", out.node.inputs, "chosen");
    return;
  }
  // onnxruntime chooses among no bools.
  const std::string yes = out.onnx.add("And", {out.x(), out.x(1)}, "yes"),
                    is_not = out.onnx.add("Not", {out.x()}, "is_not");
  out.onnx.add("Or", {yes, out.onnx.add("And", {is_not, out.x(2)}, "no")}, "chosen");
}

}  // namespace samebits::onnx_forms
