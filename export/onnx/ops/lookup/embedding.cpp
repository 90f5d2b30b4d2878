#include "graph/ops/lookup/embedding.h"

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void embedding(const OnnxNode& out) {
  const graph::FloatTensor& weight = out.node.as<graph::Embedding>().weight;
  out.onnx.add("Gather", {out.onnx.constant("weight", weight.values, weight.shape), out.x()}, "rows");
}

}  // namespace samebits::onnx_forms
