// A reduction as one ONNX node.
#pragma once

#include "export/onnx/onnx_node.h"
#include "graph/ops/reduce/reduced.h"

namespace samebits::onnx_forms {

inline void write_reduced(const OnnxNode& out, const char* op, const graph::Reduced& reduced) {
  std::vector<std::int64_t> axes;
  for (std::int64_t dim = reduced.first_dim; dim <= reduced.last_dim; ++dim) axes.push_back(dim);
  out.onnx.add(op, {out.node.inputs[0], out.onnx.constant("axes", axes)}, "reduced");
  out.onnx.set("keepdims", reduced.keepdim ? 1 : 0);
}

}  // namespace samebits::onnx_forms
