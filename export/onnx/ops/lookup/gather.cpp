#include "graph/ops/lookup/gather.h"

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void gather(const OnnxNode& out) {
  // GatherElements wants all other sizes of the index to be those of x.
  const std::int64_t axis = out.node.as<graph::Gather>().axis;
  std::string x = out.x();
  for (std::size_t d = 0; d < out.inputs[0].shape.size(); ++d) {
    const graph::Dimension &size = out.inputs[0].shape[d], &wanted = out.inputs[1].shape[d];
    if (static_cast<std::int64_t>(d) == axis || size == wanted) continue;
    x = out.onnx.add("Slice",
                     {x, out.onnx.constant("begin", 0), out.onnx.constant("end", wanted.offset),
                      out.onnx.constant("axis", static_cast<std::int64_t>(d))},
                     "part");
  }
  out.onnx.add("GatherElements", {x, out.x(1)}, "gathered");
  out.onnx.set("axis", axis);
}

}  // namespace samebits::onnx_forms
