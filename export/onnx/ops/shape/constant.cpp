#include "graph/ops/shape/constant.h"

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void constant(const OnnxNode& out) {
  out.onnx.add("Identity", {out.onnx.constant("value", out.node.as<graph::Constant>().value)}, "held");
}

}  // namespace samebits::onnx_forms
