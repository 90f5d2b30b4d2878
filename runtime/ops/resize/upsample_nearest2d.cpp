#include "graph/ops/resize/upsample_nearest2d.h"

#include <cmath>

#include "runtime/moving.h"

namespace samebits::runtime::ops {
namespace {

/// LibTorch's rule: floor of a product in float32.
std::int64_t source(std::int64_t i, float step, std::int64_t size) {
  const float place = std::floor(static_cast<float>(i) * step);
  return place >= static_cast<float>(size - 1) ? size - 1 : static_cast<std::int64_t>(place);
}

void run(const Call& call) {
  const auto& upsample = call.node.as<graph::UpsampleNearest2d>();
  const View& x = call.x();
  const Strides strides = strides_of(x.sizes);
  move(call, {x.data, call.y().sizes}, [&](std::size_t d, std::int64_t i) {
    const float step = d == 2 ? upsample.step_height : upsample.step_width;
    return (d < 2 ? i : source(i, step, x.sizes[d])) * strides[d];
  });
}

}  // namespace

const Evaluator& upsample_nearest2d() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
