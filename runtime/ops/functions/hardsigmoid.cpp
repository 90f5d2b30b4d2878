#include "runtime/ops/functions/run_function.h"

namespace samebits::runtime::ops {

const Evaluator& hardsigmoid() {
  static constexpr Evaluator kEvaluator{run_plain_function<kernels::Function::kHardsigmoid>};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
