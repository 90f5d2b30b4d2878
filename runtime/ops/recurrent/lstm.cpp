#include "runtime/ops/recurrent/run_recurrent.h"

namespace samebits::runtime::ops {

const Evaluator& lstm() {
  static constexpr Evaluator kEvaluator{run_recurrent<graph::Lstm>, pack_recurrent<graph::Lstm>};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
