#include "graph/ops/lookup/gather.h"

#include "kernels/move/gather.h"
#include "runtime/moving.h"

namespace samebits::runtime::ops {
namespace {

void run(const Call& call) {
  const View &x = call.x(), &index = *call.inputs[1];
  View& y = call.y();
  const std::int64_t axis = call.node.as<graph::Gather>().axis;
  check_indices(call, index, x.sizes[static_cast<std::size_t>(axis)]);
  const kernels::Gather args{.x = x.data,
                             .index = index.integers(),
                             .y = y.data,
                             .element_bytes = y.element_bytes(),
                             .rank = static_cast<std::int64_t>(y.sizes.size()),
                             .axis = axis,
                             .x_sizes = x.sizes.data(),
                             .y_sizes = y.sizes.data()};
  call.threads.parallel_for(y.count(), kGrain,
                            [&](std::int64_t begin, std::int64_t end) { kernels::gather(args, begin, end); });
}

}  // namespace

const Evaluator& gather() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
