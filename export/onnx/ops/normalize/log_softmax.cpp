#include "graph/ops/normalize/log_softmax.h"

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void log_softmax(const OnnxNode& out) {
  out.onnx.add("LogSoftmax", out.node.inputs, "log_softmax");
  out.onnx.set("axis", out.node.as<graph::LogSoftmax>().dim);
}

}  // namespace samebits::onnx_forms
