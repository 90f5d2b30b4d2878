#include "graph/ops/shape/permute.h"

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void permute(const OnnxNode& out) {
  out.onnx.add("Transpose", out.node.inputs, "permuted");
  out.onnx.set("perm", out.node.as<graph::Permute>().axes);
}

}  // namespace samebits::onnx_forms
