#include "runtime/ops/functions/run_function.h"

namespace samebits::runtime::ops {

const Evaluator& tanh() {
  static constexpr Evaluator kEvaluator{run_plain_function<kernels::Function::kTanh>};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
