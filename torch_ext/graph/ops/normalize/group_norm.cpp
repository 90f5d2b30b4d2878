#include "graph/ops/normalize/group_norm.h"

#include "torch_ext/graph/ops/normalize/arguments.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  walk.add(graph::GroupNorm{.groups = walk.constant<std::int64_t>(node, 1, "groups"),
                            .eps = static_cast<float>(walk.constant<double>(node, 4, "eps")),
                            .weight = floats_of(walk.tensor(node, 2, "weight")),
                            .bias = floats_of(walk.tensor(node, 3, "bias"))},
           {node->input(0)}, node->output(0));
}

}  // namespace

const TraceReader& group_norm() {
  static const TraceReader kReader{.kinds = {"samebits::group_norm"},
                                   .read = read,
                                   .exact = {{"aten::group_norm", "samebits::group_norm"}}};
  return kReader;
}

}  // namespace samebits::trace_ops
