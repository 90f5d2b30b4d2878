#include "graph/ops/normalize/rms_norm.h"

#include "runtime/ops/normalize/run_norm.h"

namespace samebits::runtime::ops {
namespace {

void run(const Call& call) {
  const auto& norm = call.node.as<graph::RmsNorm>();
  const auto rank = static_cast<std::int64_t>(call.x().sizes.size());
  run_norm(call, {.x = call.x().floats(),
                  .y = call.y().floats(),
                  .n = row_shape(call.x().sizes, rank - norm.dims, rank - 1).n,
                  .eps = norm.eps,
                  .is_rms = true,
                  .weight = data_or_null(norm.weight)});
}

}  // namespace

const Evaluator& rms_norm() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
