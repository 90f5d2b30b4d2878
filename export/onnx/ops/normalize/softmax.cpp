#include "graph/ops/normalize/softmax.h"

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void softmax(const OnnxNode& out) {
  out.onnx.add("Softmax", out.node.inputs, "softmax");
  out.onnx.set("axis", out.node.as<graph::Softmax>().dim);
}

}  // namespace samebits::onnx_forms
