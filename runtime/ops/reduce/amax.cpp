#include "graph/ops/reduce/amax.h"

#include "runtime/ops/reduce/run_reduced.h"

namespace samebits::runtime::ops {
namespace {

void run(const Call& call) {
  run_reduced(call, kernels::max_rows, call.node.as<graph::Amax>());
}

}  // namespace

const Evaluator& amax() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
