#include "runtime/ops/functions/run_function.h"

namespace samebits::runtime::ops {

const Evaluator& erf() {
  static constexpr Evaluator kEvaluator{run_plain_function<kernels::Function::kErf>};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
