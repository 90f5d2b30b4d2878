#include "graph/ops/logic/logical.h"

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void logical(const OnnxNode& out) {
  constexpr const char* kOps[] = {"And", "Or", "Xor"};
  out.onnx.add(kOps[static_cast<std::size_t>(out.node.as<graph::Logical>().kind)], out.node.inputs, "is");
}

}  // namespace samebits::onnx_forms
