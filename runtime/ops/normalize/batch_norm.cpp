#include "graph/ops/normalize/batch_norm.h"

#include "kernels/float/normalize.h"
#include "runtime/ops/normalize/run_rows.h"

namespace samebits::runtime::ops {
namespace {

void run(const Call& call) {
  const auto& norm = call.node.as<graph::BatchNorm>();
  const graph::Sizes& sizes = call.x().sizes;
  const kernels::ScaleChannelsArgs args{.x = call.x().floats(),
                                        .y = call.y().floats(),
                                        .scale = norm.scale.data(),
                                        .bias = norm.bias.data(),
                                        .channels = sizes[1],
                                        .inner = row_shape(sizes, 1, 1).inner};
  call.threads.parallel_for(
      sizes[0] * sizes[1], grain_of(args.inner),
      [&](std::int64_t begin, std::int64_t end) { kernels::scale_channels(args, begin, end); });
}

}  // namespace

const Evaluator& batch_norm() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
