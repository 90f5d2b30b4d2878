#include "graph/ops/shape/permute.h"

#include "runtime/moving.h"

namespace samebits::runtime::ops {
namespace {

void run(const Call& call) {
  const graph::Sizes& axes = call.node.as<graph::Permute>().axes;
  const Strides strides = strides_of(call.x().sizes);
  move(call, {call.x().data, call.y().sizes},
       [&](std::size_t d, std::int64_t i) { return i * strides[static_cast<std::size_t>(axes[d])]; });
}

}  // namespace

const Evaluator& permute() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
