#include "graph/ops/elementwise/add.h"

#include "runtime/evaluator.h"

namespace samebits::runtime::ops {
namespace {

void run(const Call& call) {
  const float *a = call.inputs[0]->floats(), *b = call.inputs[1]->floats();
  float* y = call.y().floats();
  call.threads.parallel_for(call.x().count(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    for (std::int64_t i = begin; i < end; ++i) y[i] = a[i] + b[i];
  });
}

}  // namespace

const Evaluator& add() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
