#include "graph/ops/resize/upsample_nearest2d.h"

#include "torch_ext/graph/resize_steps.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  const auto [size, steps] = resize_steps(walk, node, 2, /*align_corners=*/false);
  graph::UpsampleNearest2d upsample{size, steps[0], steps[1]};
  const std::vector<std::int64_t> x = walk.sizes_of(node->input(0));
  // ATen takes these two for what they look like, whatever the factor.
  const auto plain = [&](std::size_t axis, float& step) {
    if (size[axis] == x[2 + axis]) step = 1;
    if (size[axis] == 2 * x[2 + axis]) step = 0.5f;
  };
  plain(0, upsample.step_height);
  plain(1, upsample.step_width);
  walk.add(upsample, {node->input(0)}, node->output(0));
}

}  // namespace

const TraceReader& upsample_nearest2d() {
  static const TraceReader kReader{.kinds = {"aten::upsample_nearest2d"}, .read = read};
  return kReader;
}

}  // namespace samebits::trace_ops
