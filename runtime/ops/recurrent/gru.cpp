#include "runtime/ops/recurrent/run_recurrent.h"

namespace samebits::runtime::ops {

const Evaluator& gru() {
  static constexpr Evaluator kEvaluator{run_recurrent<graph::Gru>, pack_recurrent<graph::Gru>};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
