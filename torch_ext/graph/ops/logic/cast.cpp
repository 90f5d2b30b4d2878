#include "graph/ops/logic/cast.h"

#include "torch_ext/graph/operands.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  const graph::Dtype from = graph_dtype(walk, node, walk.dtype_of(node->input(0))),
                     to = graph_dtype(walk, node, walk.dtype_of(node->output(0)));
  if (from == to) return walk.pass_through(node);
  walk.add(graph::Cast{to}, {node->input(0)}, node->output(0));
}

}  // namespace

const TraceReader& cast() {
  static const TraceReader kReader{.kinds = {"aten::to", "aten::type_as"}, .read = read};
  return kReader;
}

}  // namespace samebits::trace_ops
