#include "graph/ops/resize/upsample_bilinear2d.h"

#include "kernels/float/bilinear.h"
#include "runtime/evaluator.h"

namespace samebits::runtime::ops {
namespace {

void run(const Call& call) {
  const auto& upsample = call.node.as<graph::UpsampleBilinear2d>();
  const View& x = call.x();
  View& y = call.y();
  const std::int64_t height = y.sizes[2], width = y.sizes[3];
  auto* rows = static_cast<kernels::LinearTap*>(
      call.scratch.at_least((height + width) * static_cast<std::int64_t>(sizeof(kernels::LinearTap))));
  kernels::linear_taps({x.sizes[2], height, upsample.step_height, upsample.align_corners}, rows);
  kernels::linear_taps({x.sizes[3], width, upsample.step_width, upsample.align_corners}, rows + height);
  const kernels::Bilinear args{.x = x.floats(),
                               .y = y.floats(),
                               .in_height = x.sizes[2],
                               .in_width = x.sizes[3],
                               .out_height = height,
                               .out_width = width,
                               .rows = rows,
                               .columns = rows + height};
  call.threads.parallel_for(
      x.sizes[0] * x.sizes[1], grain_of(height * width),
      [&](std::int64_t begin, std::int64_t end) { kernels::bilinear(args, begin, end); });
}

}  // namespace

const Evaluator& upsample_bilinear2d() {
  static constexpr Evaluator kEvaluator{run};
  return kEvaluator;
}

}  // namespace samebits::runtime::ops
