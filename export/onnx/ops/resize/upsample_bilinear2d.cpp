// Gather by tables and one operation a rounding: engines interpolate in their own way.
#include "graph/ops/resize/upsample_bilinear2d.h"

#include "export/onnx/onnx_node.h"
#include "kernels/float/bilinear.h"

namespace samebits::onnx_forms {
namespace {

/// x between two neighbours along a dimension.
std::string interpolated(const OnnxNode& out, const std::string& x, std::int64_t dimension,
                         const kernels::LinearAxis& axis) {
  std::vector<kernels::LinearTap> taps(static_cast<std::size_t>(axis.out));
  kernels::linear_taps(axis, taps.data());
  const auto part = [&](std::int64_t kernels::LinearTap::*place, float kernels::LinearTap::*weight) {
    std::vector<std::int64_t> places;
    std::vector<float> weights;
    for (const kernels::LinearTap& tap : taps) {
      places.push_back(tap.*place);
      weights.push_back(tap.*weight);
    }
    const std::string neighbours =
        out.onnx.add("Gather", {x, out.onnx.constant("places", places)}, "neighbours");
    out.onnx.set("axis", dimension);
    const graph::Sizes shape = dimension == 2 ? graph::Sizes{axis.out, 1} : graph::Sizes{axis.out};
    return out.onnx.add("Mul", {neighbours, out.onnx.constant("weights", weights, shape)}, "part");
  };
  const std::string low = part(&kernels::LinearTap::low, &kernels::LinearTap::low_weight);
  const std::string high = part(&kernels::LinearTap::high, &kernels::LinearTap::high_weight);
  return out.onnx.add("Add", {low, high}, "between");
}

}  // namespace

void upsample_bilinear2d(const OnnxNode& out) {
  const auto& upsample = out.node.as<graph::UpsampleBilinear2d>();
  const graph::Shape& x = out.inputs[0].shape;
  const std::string columns = interpolated(
      out, out.x(), 3, {x[3].offset, upsample.size[1], upsample.step_width, upsample.align_corners});
  interpolated(out, columns, 2,
               {x[2].offset, upsample.size[0], upsample.step_height, upsample.align_corners});
}

}  // namespace samebits::onnx_forms
