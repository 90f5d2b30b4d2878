#include "kernels/float/arithmetic.h"
#include "runtime/evaluator.h"

namespace samebits::runtime::ops {
namespace {

void run(const Call& call) {
  call.threads.parallel_for(call.x().count(), kGrain, [&](std::int64_t begin, std::int64_t end) {
    kernels::absolute(call.x().floats(), call.y().floats(), begin, end);
  });
}

}  // namespace

const Evaluator& abs() {
  static constexpr Evaluator kEvaluator{.run = run, .sharing = Sharing::kInPlace};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
