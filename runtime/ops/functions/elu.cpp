#include "graph/ops/functions/elu.h"

#include "runtime/ops/functions/run_function.h"

namespace samebits::runtime::ops {
namespace {

using kernels::Function;

void run(const Call& call) {
  const auto& elu = call.node.as<graph::Elu>();
  run_function(call, Function::kElu, {elu.input_scale, elu.alpha * elu.scale, elu.scale});
}

}  // namespace

const Evaluator& elu() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
