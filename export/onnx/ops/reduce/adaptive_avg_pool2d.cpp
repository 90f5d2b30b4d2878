// ONNX has no adaptive pool. Windows are products of a range of rows and one of columns, so the mean of one
// is the mean over columns of means over rows.
#include "graph/ops/reduce/adaptive_avg_pool2d.h"

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {
namespace {

/// The means of the windows along one axis of the value x, whose size there is `in`.
std::string means_along(const OnnxNode& out, const std::string& x, std::int64_t axis, std::int64_t in,
                        std::int64_t windows) {
  const std::string axes = out.onnx.constant("axes", {&axis, 1});
  std::vector<std::string> parts;
  for (std::int64_t i = 0; i < windows; ++i) {
    const std::int64_t begin = i * in / windows, end = ((i + 1) * in + windows - 1) / windows;
    const std::string slice = windows == 1 ? x
                                           : out.onnx.add("Slice",
                                                          {x, out.onnx.constant("begin", {&begin, 1}),
                                                           out.onnx.constant("end", {&end, 1}), axes},
                                                          "window");
    parts.push_back(out.onnx.add("ReduceMean", {slice, axes}, "mean"));
  }
  if (windows == 1) return parts[0];
  const std::string all = out.onnx.add("Concat", parts, "means");
  out.onnx.set("axis", axis);
  return all;
}

}  // namespace

void adaptive_avg_pool2d(const OnnxNode& out) {
  const auto& pool = out.node.as<graph::AdaptiveAvgPool2d>();
  const graph::Shape& x = out.inputs[0].shape;
  const std::string rows = means_along(out, out.node.inputs[0], 2, x[2].offset, pool.output_size[0]);
  means_along(out, rows, 3, x[3].offset, pool.output_size[1]);
}

}  // namespace samebits::onnx_forms
