#include "graph/ops/pool/avg_pool2d.h"

#include "kernels/conv/pool.h"
#include "runtime/evaluator.h"

namespace samebits::runtime::ops {
namespace {

void run(const Call& call) {
  const View& x = call.x();
  View& y = call.y();
  const auto& pool = call.node.as<graph::AvgPool2d>();
  const kernels::PoolShape shape{
      {x.sizes[2], x.sizes[3]}, {y.sizes[2], y.sizes[3]}, pool.kernel, pool.stride, pool.padding};
  const auto count =
      pool.count_include_pad ? kernels::AvgPoolCount::kWithPadding : kernels::AvgPoolCount::kWithoutPadding;
  const std::int64_t work = y.sizes[2] * y.sizes[3] * pool.kernel[0] * pool.kernel[1];
  call.threads.parallel_for(x.sizes[0] * x.sizes[1], grain_of(work),
                            [&](std::int64_t begin, std::int64_t end) {
                              kernels::avg_pool(shape, count, x.floats(), y.floats(), begin, end);
                            });
}

}  // namespace

const Evaluator& avg_pool2d() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
