#include "runtime/ops/recurrent/run_recurrent.h"

namespace samebits::runtime::ops {

const Evaluator& float_gru() {
  static constexpr Evaluator kEvaluator{run_recurrent<graph::FloatGru>, pack_recurrent<graph::FloatGru>};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
