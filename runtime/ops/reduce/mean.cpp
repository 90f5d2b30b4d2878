#include "graph/ops/reduce/mean.h"

#include "runtime/ops/reduce/run_reduced.h"

namespace samebits::runtime::ops {
namespace {

void run(const Call& call) {
  run_reduced(call, kernels::sum_rows, call.node.as<graph::Mean>(), true);
}

}  // namespace

const Evaluator& mean() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
