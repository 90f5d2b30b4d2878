#include "graph/ops/functions/leaky_relu.h"

#include "runtime/ops/functions/run_function.h"

namespace samebits::runtime::ops {
namespace {

using kernels::Function;

void run(const Call& call) {
  run_function(call, Function::kLeakyRelu, {call.node.as<graph::LeakyRelu>().negative_slope, 1, 1});
}

}  // namespace

const Evaluator& leaky_relu() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
