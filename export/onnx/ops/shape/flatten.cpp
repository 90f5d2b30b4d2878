#include "graph/ops/shape/flatten.h"

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void flatten(const OnnxNode& out) {
  const std::int64_t start_dim = out.node.as<graph::Flatten>().start_dim;
  if (start_dim == 1) {
    out.onnx.add("Flatten", out.node.inputs, "flat");
    out.onnx.set("axis", 1);
    return;
  }
  std::vector<std::int64_t> shape(static_cast<std::size_t>(start_dim), 0);  // 0: as it was
  const graph::Dimension& last = out.output.shape.back();
  shape.push_back(last.is_number() ? last.offset : -1);
  out.onnx.add("Reshape", {out.node.inputs[0], out.onnx.constant("shape", shape)}, "flat");
}

}  // namespace samebits::onnx_forms
