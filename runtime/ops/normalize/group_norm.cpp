#include "graph/ops/normalize/group_norm.h"

#include "runtime/ops/normalize/run_norm.h"

namespace samebits::runtime::ops {
namespace {

void run(const Call& call) {
  const auto& norm = call.node.as<graph::GroupNorm>();
  const graph::Sizes& sizes = call.x().sizes;
  const std::int64_t pixels = row_shape(sizes, 1, 1).inner;
  run_norm(call, {.x = call.x().floats(),
                  .y = call.y().floats(),
                  .n = sizes[1] / norm.groups * pixels,
                  .eps = norm.eps,
                  .weight = data_or_null(norm.weight),
                  .bias = data_or_null(norm.bias),
                  .run = pixels,
                  .weight_rows = norm.groups});
}

}  // namespace

const Evaluator& group_norm() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
