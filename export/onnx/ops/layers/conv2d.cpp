// ConvInteger multiplies weights by patches, so here the unsigned side is the weight.
#include "graph/ops/layers/conv2d.h"

#include <algorithm>

#include "export/onnx/integer_layer.h"
#include "export/onnx/onnx_node.h"

namespace samebits::onnx_forms {

void conv2d(const OnnxNode& out) {
  const auto& conv = out.node.as<graph::Conv2d>();
  const CenteredCodes weight = centered(conv.weight);
  const graph::Sizes& shape = conv.weight.shape;
  const std::int64_t x_magnitude = std::max(-conv.input_grid.qmin, conv.input_grid.qmax);
  const bool fits_pairs = 2 * x_magnitude * (weight.max - weight.min) <= kPairLimit;
  const CodesOfInput x = quantize_input(out.onnx, out.node.inputs[0], conv.input_grid, !fits_pairs);
  const std::int32_t offset = -weight.min, zero = 0;
  const std::string sums =
      out.onnx.add("ConvInteger",
                   {x.codes, out.onnx.codes("weight", weight.values, offset, true, shape), x.zero_point,
                    out.onnx.codes("weight_zero_point", {&zero, 1}, offset, true, {})},
                   "sums");
  out.onnx.set("kernel_shape", std::array{shape[2], shape[3]});
  set_window(out.onnx, conv);
  out.onnx.set("group", conv.groups);
  scale_and_bias(out.onnx, cast_sums(out.onnx, sums), channel_scales(conv), conv.bias, {shape[0], 1, 1});
}

}  // namespace samebits::onnx_forms
