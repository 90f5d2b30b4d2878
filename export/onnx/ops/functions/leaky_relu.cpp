#include "graph/ops/functions/leaky_relu.h"

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void leaky_relu(const OnnxNode& out) {
  out.onnx.add("LeakyRelu", out.node.inputs, "leaky_relu");
  out.onnx.set_float("alpha", out.node.as<graph::LeakyRelu>().negative_slope);
}

}  // namespace samebits::onnx_forms
