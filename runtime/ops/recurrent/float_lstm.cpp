#include "runtime/ops/recurrent/run_recurrent.h"

namespace samebits::runtime::ops {

const Evaluator& float_lstm() {
  static constexpr Evaluator kEvaluator{run_recurrent<graph::FloatLstm>, pack_recurrent<graph::FloatLstm>};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
