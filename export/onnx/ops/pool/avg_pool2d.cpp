// AveragePool leaves the order of its additions to the engine. One strided slice an element of the window,
// added in row-major order, fixes it.
#include "graph/ops/pool/avg_pool2d.h"

#include <limits>

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {
namespace {

std::string padded(const OnnxNode& out, const graph::Pair& padding) {
  const float zero = 0.0f;
  const std::int64_t pads[] = {0, 0, padding[0], padding[1], 0, 0, padding[0], padding[1]};
  return out.onnx.add(
      "Pad", {out.node.inputs[0], out.onnx.constant("pads", pads), out.onnx.constant("pad", {&zero, 1}, {})},
      "padded");
}

/// Where the slice of the element at `offset` ends, so that the whole window fits.
std::int64_t end_of(std::int64_t offset, std::int64_t kernel) {
  return offset + 1 == kernel ? std::numeric_limits<std::int64_t>::max() : offset + 1 - kernel;
}

}  // namespace

void avg_pool2d(const OnnxNode& out) {
  const auto& pool = out.node.as<graph::AvgPool2d>();
  const auto [height, width] = pool.kernel;
  const float count = static_cast<float>(height * width);
  const std::string x = pool.padding == graph::Pair{0, 0} ? out.node.inputs[0] : padded(out, pool.padding);
  const std::string axes = out.onnx.constant("axes", std::array<std::int64_t, 2>{2, 3});
  const std::string steps = out.onnx.constant("steps", pool.stride);
  std::string sum;
  for (std::int64_t i = 0; i < height; ++i)
    for (std::int64_t j = 0; j < width; ++j) {
      const std::string begins = out.onnx.constant("begins", std::array{i, j});
      const std::string ends = out.onnx.constant("ends", std::array{end_of(i, height), end_of(j, width)});
      const std::string slice = out.onnx.add("Slice", {x, begins, ends, axes, steps}, "element");
      sum = sum.empty() ? slice : out.onnx.add("Add", {sum, slice}, "sum");
    }
  add_zero(out.onnx, out.onnx.add("Div", {sum, out.onnx.constant("count", {&count, 1}, {})}, "mean"));
}

}  // namespace samebits::onnx_forms
