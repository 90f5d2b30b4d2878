#include "runtime/arithmetic.h"

namespace samebits::runtime::ops {
namespace {

void run(const Call& call) {
  run_floats(call, kernels::Arithmetic::kMaximum);
}

}  // namespace

const Evaluator& maximum() {
  static constexpr Evaluator kEvaluator{.run = run, .sharing = Sharing::kInPlace};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
