#include "runtime/ops/functions/run_function.h"

namespace samebits::runtime::ops {

const Evaluator& sigmoid() {
  static constexpr Evaluator kEvaluator{run_plain_function<kernels::Function::kSigmoid>};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
