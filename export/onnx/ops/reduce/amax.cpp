#include "graph/ops/reduce/amax.h"

#include "export/onnx/ops/reduce/write_reduced.h"

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void amax(const OnnxNode& out) {
  write_reduced(out, "ReduceMax", out.node.as<graph::Amax>());
}

}  // namespace samebits::onnx_forms
