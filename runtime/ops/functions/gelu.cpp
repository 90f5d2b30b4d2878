#include "graph/ops/functions/gelu.h"

#include "runtime/ops/functions/run_function.h"

namespace samebits::runtime::ops {
namespace {

using kernels::Function;

void run(const Call& call) {
  run_function(call, call.node.as<graph::Gelu>().is_tanh ? Function::kGeluTanh : Function::kGelu);
}

}  // namespace

const Evaluator& gelu() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
