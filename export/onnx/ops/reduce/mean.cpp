#include "graph/ops/reduce/mean.h"

#include "export/onnx/ops/reduce/write_reduced.h"

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void mean(const OnnxNode& out) {
  write_reduced(out, "ReduceMean", out.node.as<graph::Mean>());
}

}  // namespace samebits::onnx_forms
