#include "graph/ops/shape/cat.h"

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void cat(const OnnxNode& out) {
  out.onnx.add("Concat", out.node.inputs, "joined");
  out.onnx.set("axis", out.node.as<graph::Cat>().axis);
}

}  // namespace samebits::onnx_forms
