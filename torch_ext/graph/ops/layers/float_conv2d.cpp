#include "graph/ops/layers/float_conv2d.h"

#include "torch_ext/graph/trace_reader.h"
#include "torch_ext/quantizer/layer_quantizer.h"

namespace samebits::trace_ops {
namespace {

std::any from_layer(const QATLayer& layer) {
  if (!is_float(layer, "conv2d")) return {};
  LayerChannels channels = channels_of(layer);
  const ops::Conv2dWindow& window = *layer.quantizer().product().window;
  return graph::FloatConv2d{.weight = float_weight_of(layer),
                            .bias = std::move(channels.bias),
                            .stride = window.stride,
                            .padding = window.padding,
                            .dilation = window.dilation,
                            .groups = window.groups,
                            .channel_scale = std::move(channels.channel_scale)};
}

}  // namespace

const TraceReader& float_conv2d() {
  static const TraceReader kReader{.kinds = {}, .from_layer = from_layer};
  return kReader;
}

}  // namespace samebits::trace_ops
