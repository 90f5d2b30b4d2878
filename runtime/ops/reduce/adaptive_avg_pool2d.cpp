#include "graph/ops/reduce/adaptive_avg_pool2d.h"

#include "kernels/float/reduce.h"
#include "runtime/evaluator.h"

namespace samebits::runtime::ops {
namespace {

void run(const Call& call) {
  const View& x = call.x();
  View& y = call.y();
  const kernels::AdaptivePoolShape shape{{x.sizes[2], x.sizes[3]}, {y.sizes[2], y.sizes[3]}};
  call.threads.parallel_for(x.sizes[0] * x.sizes[1], grain_of(x.sizes[2] * x.sizes[3]),
                            [&](std::int64_t begin, std::int64_t end) {
                              kernels::adaptive_avg_pool(shape, x.floats(), y.floats(), begin, end);
                            });
}

}  // namespace

const Evaluator& adaptive_avg_pool2d() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
