// Weights of norms.
#pragma once

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

/// The last sizes of the output, which are numbers.
inline graph::Sizes last_sizes(const OnnxNode& out, std::int64_t dims) {
  graph::Sizes sizes;
  for (auto dim = out.output.shape.end() - dims; dim != out.output.shape.end(); ++dim)
    sizes.push_back(dim->offset);
  return sizes;
}

inline std::string weight_or_ones(const OnnxNode& out, const std::vector<float>& weight,
                                  const graph::Sizes& shape) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size;
  const std::vector<float> ones(static_cast<std::size_t>(count), 1.0f);
  return out.onnx.constant("weight", weight.empty() ? ones : weight, shape);
}

}  // namespace samebits::onnx_forms
