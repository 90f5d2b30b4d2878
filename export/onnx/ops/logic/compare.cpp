#include "graph/ops/logic/compare.h"

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void compare(const OnnxNode& out) {
  const graph::Comparison kind = out.node.as<graph::Compare>().kind;
  if (kind == graph::Comparison::kNotEqual) {
    out.onnx.add("Not", {out.onnx.add("Equal", out.node.inputs, "is_equal")}, "differs");
    return;
  }
  constexpr const char* kOps[] = {"Equal", "", "Less", "LessOrEqual", "Greater", "GreaterOrEqual"};
  out.onnx.add(kOps[static_cast<std::size_t>(kind)], out.node.inputs, "is");
}

}  // namespace samebits::onnx_forms
