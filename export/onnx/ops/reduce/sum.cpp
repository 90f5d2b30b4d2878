#include "graph/ops/reduce/sum.h"

#include "export/onnx/ops/reduce/write_reduced.h"

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void sum(const OnnxNode& out) {
  write_reduced(out, "ReduceSum", out.node.as<graph::Sum>());
}

}  // namespace samebits::onnx_forms
