#include "graph/ops/resize/upsample_bilinear2d.h"

#include "torch_ext/graph/resize_steps.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  const bool align_corners = walk.constant<bool>(node, 2, "align_corners");
  const auto [size, steps] = resize_steps(walk, node, 3, align_corners);
  walk.add(graph::UpsampleBilinear2d{size, steps[0], steps[1], align_corners}, {node->input(0)},
           node->output(0));
}

}  // namespace

const TraceReader& upsample_bilinear2d() {
  static const TraceReader kReader{.kinds = {"samebits::upsample_bilinear2d"},
                                   .read = read,
                                   .exact = {{"aten::upsample_bilinear2d", "samebits::upsample_bilinear2d"}}};
  return kReader;
}

}  // namespace samebits::trace_ops
