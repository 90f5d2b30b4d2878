#include "graph/ops/functions/gelu.h"

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void gelu(const OnnxNode& out) {
  out.onnx.add("Gelu", out.node.inputs, "gelu");
  out.onnx.set_text("approximate", out.node.as<graph::Gelu>().is_tanh ? "tanh" : "none");
}

}  // namespace samebits::onnx_forms
