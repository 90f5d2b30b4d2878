#include "graph/ops/layers/float_linear.h"

#include "torch_ext/graph/trace_reader.h"

namespace samebits::trace_ops {
namespace {

std::any from_layer(const QATLayer& layer) {
  if (!is_float(layer, "linear")) return {};
  auto [bias, channel_scale] = channels_of(layer);
  return graph::FloatLinear{float_weight_of(layer), std::move(bias), std::move(channel_scale)};
}

}  // namespace

const TraceReader& float_linear() {
  static const TraceReader kReader{.kinds = {}, .from_layer = from_layer};
  return kReader;
}

}  // namespace samebits::trace_ops
