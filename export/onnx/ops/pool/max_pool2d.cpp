#include "graph/ops/pool/max_pool2d.h"

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void max_pool2d(const OnnxNode& out) {
  const auto& pool = out.node.as<graph::MaxPool2d>();
  out.onnx.add("MaxPool", out.node.inputs, "max");
  out.onnx.set("kernel_shape", pool.kernel);
  set_window(out.onnx, pool);
  out.onnx.set("ceil_mode", pool.ceil_mode ? 1 : 0);
}

}  // namespace samebits::onnx_forms
