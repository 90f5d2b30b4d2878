#include "graph/ops/reduce/sum.h"

#include "runtime/ops/reduce/run_reduced.h"

namespace samebits::runtime::ops {
namespace {

void run(const Call& call) {
  run_reduced(call, kernels::sum_rows, call.node.as<graph::Sum>());
}

}  // namespace

const Evaluator& sum() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
