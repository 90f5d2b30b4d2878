// ConvInteger multiplies weights by patches, so here the unsigned side is the weight.
#include "graph/ops/layers/conv2d.h"

#include <algorithm>

#include "export/onnx/integer_layer.h"
#include "export/onnx/onnx_node.h"
#include "export/onnx/qdq_layer.h"

namespace samebits::onnx_forms {
namespace {

void set_convolution(const OnnxNode& out, const graph::Conv2d& conv) {
  const graph::Sizes& shape = conv.weight.shape;
  out.onnx.set("kernel_shape", std::array{shape[2], shape[3]});
  set_window(out.onnx, conv);
  out.onnx.set("group", conv.groups);
}

void write_qdq(const OnnxNode& out, const graph::Conv2d& conv) {
  const QdqLayer<graph::Conv2d> layer{out, conv};
  std::vector<std::string> inputs = {fake_quantized(out.onnx, out.x(), conv.input_grid),
                                     layer.weight(QdqLayout::kChannelFirst)};
  if (!conv.bias.empty()) inputs.push_back(layer.bias());
  out.onnx.add("Conv", inputs, "y");
  set_convolution(out, conv);
}

}  // namespace

void conv2d(const OnnxNode& out) {
  const auto& conv = out.node.as<graph::Conv2d>();
  if (!out.is_exact()) return write_qdq(out, conv);
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
  set_convolution(out, conv);
  scale_and_bias(out.onnx, cast_sums(out.onnx, sums), channel_scales(conv), conv.bias, {shape[0], 1, 1});
}

}  // namespace samebits::onnx_forms
