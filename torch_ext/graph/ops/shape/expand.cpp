#include "graph/ops/shape/expand.h"

#include "torch_ext/graph/trace_reader.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  const graph::Shape y = walk.shape_of(node->output(0));
  if (walk.shape_of(node->input(0)) == y) return walk.pass_through(node);
  walk.add(graph::Expand{y}, {node->input(0)}, node->output(0));
}

}  // namespace

const TraceReader& expand() {
  static const TraceReader kReader{.kinds = {"aten::expand", "aten::expand_as", "aten::broadcast_to"},
                                   .read = read};
  return kReader;
}

}  // namespace samebits::trace_ops
