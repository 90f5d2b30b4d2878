#include "runtime/ops/functions/run_function.h"

namespace samebits::runtime::ops {

const Evaluator& silu() {
  static constexpr Evaluator kEvaluator{run_plain_function<kernels::Function::kSilu>};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
