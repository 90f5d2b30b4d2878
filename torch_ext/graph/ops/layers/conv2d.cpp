#include "graph/ops/layers/conv2d.h"

#include "torch_ext/graph/trace_reader.h"
#include "torch_ext/quantizer/layer_quantizer.h"

namespace samebits::trace_ops {
namespace {

std::any from_layer(const QATLayer& layer) {
  if (!is_integer(layer, "conv2d")) return {};
  LayerChannels channels = channels_of(layer);
  const ops::Conv2dWindow& window = *layer.quantizer().product().window;
  return graph::Conv2d{.input_grid = layer.input().affine_grid(),
                       .weight = layer.quantized_weight(),
                       .bias = std::move(channels.bias),
                       .stride = window.stride,
                       .padding = window.padding,
                       .dilation = window.dilation,
                       .groups = window.groups,
                       .channel_scale = std::move(channels.channel_scale)};
}

}  // namespace

const TraceReader& conv2d() {
  static const TraceReader kReader{.kinds = {}, .from_layer = from_layer};
  return kReader;
}

}  // namespace samebits::trace_ops
