// AveragePool leaves the order of its additions to the engine. One strided slice an element of the window,
// added in row-major order, fixes it. QDQ files promise no bits, and have AveragePool.
#include "graph/ops/pool/avg_pool2d.h"

#include <algorithm>
#include <limits>

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {
namespace {

constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();

/// What one dimension of the pool is.
struct Axis {
  std::int64_t size, kernel, stride, padding, windows;

  /// Zeros behind the padded input, so that the last window fits.
  std::int64_t rest() const {
    return std::max<std::int64_t>((windows - 1) * stride + kernel - (size + 2 * padding), 0);
  }
  /// Where the slice of the element at `offset` ends.
  std::int64_t end_of(std::int64_t offset) const {
    return offset + 1 == kernel ? kMost : offset + 1 - kernel;
  }
  std::int64_t places(std::int64_t window, bool with_padding) const {
    const std::int64_t begin = window * stride - padding, margin = with_padding ? padding : 0;
    return std::min(begin + kernel, size + margin) - std::max(begin, -margin);
  }
};

Axis axis_of(const OnnxNode& out, std::size_t axis) {
  const auto& pool = out.node.as<graph::AvgPool2d>();
  return {out.inputs[0].shape[2 + axis].offset, pool.kernel[axis], pool.stride[axis], pool.padding[axis],
          out.output.shape[2 + axis].offset};
}

std::string padded(const OnnxNode& out, const Axis& rows, const Axis& columns) {
  const float zero = 0.0f;
  const std::int64_t pads[] = {0,
                               0,
                               rows.padding,
                               columns.padding,
                               0,
                               0,
                               rows.padding + rows.rest(),
                               columns.padding + columns.rest()};
  return out.onnx.add(
      "Pad", {out.x(), out.onnx.constant("pads", pads), out.onnx.constant("pad", {&zero, 1}, {})}, "padded");
}

/// What each sum is divided by: one number where all are the same.
std::string counts(const OnnxNode& out, const Axis& rows, const Axis& columns) {
  const bool with_padding = out.node.as<graph::AvgPool2d>().count_include_pad;
  std::vector<float> counts;
  for (std::int64_t row = 0; row < rows.windows; ++row)
    for (std::int64_t column = 0; column < columns.windows; ++column)
      counts.push_back(
          static_cast<float>(rows.places(row, with_padding) * columns.places(column, with_padding)));
  const bool is_one = std::ranges::all_of(counts, [&](float count) { return count == counts[0]; });
  if (is_one) return out.onnx.constant("count", {counts.data(), 1}, {});
  return out.onnx.constant("counts", counts, {rows.windows, columns.windows});
}

void write_average_pool(const OnnxNode& out, const graph::AvgPool2d& pool) {
  out.onnx.add("AveragePool", {out.x()}, "mean");
  const auto [height, width] = pool.padding;
  out.onnx.set("kernel_shape", pool.kernel);
  out.onnx.set("strides", pool.stride);
  out.onnx.set("pads", std::array{height, width, height, width});
  out.onnx.set("ceil_mode", pool.ceil_mode ? 1 : 0);
  out.onnx.set("count_include_pad", pool.count_include_pad ? 1 : 0);
}

}  // namespace

void avg_pool2d(const OnnxNode& out) {
  const auto& pool = out.node.as<graph::AvgPool2d>();
  if (!out.is_exact()) return write_average_pool(out, pool);
  const auto [height, width] = pool.kernel;
  const Axis rows = axis_of(out, 0), columns = axis_of(out, 1);
  const bool is_padded = pool.padding != graph::Pair{0, 0} || rows.rest() > 0 || columns.rest() > 0;
  const std::string x = is_padded ? padded(out, rows, columns) : out.x();
  const std::string axes = out.onnx.constant("axes", std::array<std::int64_t, 2>{2, 3});
  const std::string steps = out.onnx.constant("steps", pool.stride);
  std::string sum;
  for (std::int64_t i = 0; i < height; ++i)
    for (std::int64_t j = 0; j < width; ++j) {
      const std::string begins = out.onnx.constant("begins", std::array{i, j});
      const std::string ends = out.onnx.constant("ends", std::array{rows.end_of(i), columns.end_of(j)});
      const std::string slice = out.onnx.add("Slice", {x, begins, ends, axes, steps}, "element");
      sum = sum.empty() ? slice : out.onnx.add("Add", {sum, slice}, "sum");
    }
  add_zero(out.onnx, out.onnx.add("Div", {sum, counts(out, rows, columns)}, "mean"));
}

}  // namespace samebits::onnx_forms
