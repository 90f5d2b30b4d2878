#include "graph/ops/normalize/layer_norm.h"

#include "torch_ext/graph/ops/normalize/arguments.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  walk.add(graph::LayerNorm{.dims = static_cast<std::int64_t>(walk.integers(node, 1, "sizes").size()),
                            .eps = static_cast<float>(walk.constant<double>(node, 4, "eps")),
                            .weight = floats_of(walk.tensor(node, 2, "weight")),
                            .bias = floats_of(walk.tensor(node, 3, "bias"))},
           {node->input(0)}, node->output(0));
}

}  // namespace

const TraceReader& layer_norm() {
  static const TraceReader kReader{.kinds = {"samebits::layer_norm"},
                                   .read = read,
                                   .exact = {{"aten::layer_norm", "samebits::layer_norm"}}};
  return kReader;
}

}  // namespace samebits::trace_ops
