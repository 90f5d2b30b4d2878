#include "runtime/ops/functions/run_function.h"

namespace samebits::runtime::ops {

const Evaluator& log() {
  static constexpr Evaluator kEvaluator{run_plain_function<kernels::Function::kLog>};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
