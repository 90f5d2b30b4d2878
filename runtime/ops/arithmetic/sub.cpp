#include "runtime/arithmetic.h"

namespace samebits::runtime::ops {
namespace {

void run(const Call& call) {
  run_numbers(call, kernels::Arithmetic::kSub, kernels::IntegerKind::kSub);
}

}  // namespace

const Evaluator& sub() {
  static constexpr Evaluator kEvaluator{.run = run, .sharing = Sharing::kInPlace};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
