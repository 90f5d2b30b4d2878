// Work is split by blocks of pixels: no sum is shared.
#include "graph/ops/layers/conv2d.h"

#include <atomic>

#include "runtime/conv_shape.h"
#include "runtime/evaluator.h"
#include "runtime/packed_weights.h"

namespace samebits::runtime::ops {
namespace {

std::shared_ptr<const void> pack(const graph::Node& node) {
  return std::make_shared<PackedConv2d>(node.as<graph::Conv2d>());
}

void run(const Call& call) {
  const auto& layer = *static_cast<const PackedConv2d*>(call.packed);
  const auto& conv = call.node.as<graph::Conv2d>();
  View& y = call.y();
  const std::int64_t images = call.x().sizes[0];
  const std::int8_t* x_codes = input_codes(call, conv.input_grid);
  const kernels::Conv2dShape shape = conv_shape(conv, conv.weight.shape, call.x().sizes);
  const LayerOutput output{y.floats(), y.codes(), y.is_codes() ? &y.grid() : nullptr, call.relu};
  const std::int64_t items = kernels::conv2d_work_items(shape, images);
  const std::int64_t work = std::max<std::int64_t>(products_of(shape, images), 1);
  std::atomic<bool> saw_nan = false;
  call.threads.parallel_for(items, std::max<std::int64_t>(1, kProductGrain * items / work),
                            [&](std::int64_t begin, std::int64_t end) {
                              if (layer.convolve(shape, x_codes, output, begin, end)) saw_nan = true;
                            });
  if (saw_nan) fail_nan(*y.reader);
}

}  // namespace

const Evaluator& conv2d() {
  static constexpr Evaluator kEvaluator{run, pack};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
