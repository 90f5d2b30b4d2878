#include "graph/ops/layers/linear.h"

#include "torch_ext/graph/trace_reader.h"
#include "torch_ext/quantizer/layer_quantizer.h"

namespace samebits::trace_ops {
namespace {

std::any from_layer(const QATLayer& layer) {
  if (!is_integer(layer, "linear")) return {};
  auto [bias, channel_scale] = channels_of(layer);
  return graph::Linear{layer.input().affine_grid(), layer.quantized_weight(), std::move(bias),
                       std::move(channel_scale)};
}

}  // namespace

const TraceReader& linear() {
  static const TraceReader kReader{.kinds = {}, .from_layer = from_layer};
  return kReader;
}

}  // namespace samebits::trace_ops
