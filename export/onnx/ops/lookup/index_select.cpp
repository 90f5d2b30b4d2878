#include "graph/ops/lookup/index_select.h"

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void index_select(const OnnxNode& out) {
  out.onnx.add("Gather", out.node.inputs, "selected");
  out.onnx.set("axis", out.node.as<graph::IndexSelect>().axis);
}

}  // namespace samebits::onnx_forms
