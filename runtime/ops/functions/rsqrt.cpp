#include "runtime/ops/functions/run_function.h"

namespace samebits::runtime::ops {

const Evaluator& rsqrt() {
  static constexpr Evaluator kEvaluator{run_plain_function<kernels::Function::kRsqrt>};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
