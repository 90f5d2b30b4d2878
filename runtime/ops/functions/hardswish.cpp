#include "runtime/ops/functions/run_function.h"

namespace samebits::runtime::ops {

const Evaluator& hardswish() {
  static constexpr Evaluator kEvaluator{run_plain_function<kernels::Function::kHardswish>};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
