#include "runtime/ops/functions/run_function.h"

namespace samebits::runtime::ops {

const Evaluator& sqrt() {
  static constexpr Evaluator kEvaluator{run_plain_function<kernels::Function::kSqrt>};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
