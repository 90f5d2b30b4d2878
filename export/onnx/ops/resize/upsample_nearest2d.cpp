// Gather by tables: engines round the places of Resize in their own way.
#include "graph/ops/resize/upsample_nearest2d.h"

#include <algorithm>
#include <cmath>

#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {
namespace {

std::vector<std::int64_t> places(std::int64_t out, std::int64_t in, float step) {
  std::vector<std::int64_t> places;
  for (std::int64_t i = 0; i < out; ++i)
    places.push_back(static_cast<std::int64_t>(
        std::min(std::floor(static_cast<float>(i) * step), static_cast<float>(in - 1))));
  return places;
}

}  // namespace

void upsample_nearest2d(const OnnxNode& out) {
  const auto& upsample = out.node.as<graph::UpsampleNearest2d>();
  const graph::Shape& x = out.inputs[0].shape;
  const std::string rows = out.onnx.add(
      "Gather",
      {out.x(), out.onnx.constant("row_places", places(upsample.size[0], x[2].offset, upsample.step_height))},
      "rows");
  out.onnx.set("axis", 2);
  out.onnx.add(
      "Gather",
      {rows, out.onnx.constant("column_places", places(upsample.size[1], x[3].offset, upsample.step_width))},
      "columns");
  out.onnx.set("axis", 3);
}

}  // namespace samebits::onnx_forms
