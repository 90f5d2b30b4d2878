#include "runtime/ops/functions/run_function.h"

namespace samebits::runtime::ops {

const Evaluator& exp() {
  static constexpr Evaluator kEvaluator{run_plain_function<kernels::Function::kExp>};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
