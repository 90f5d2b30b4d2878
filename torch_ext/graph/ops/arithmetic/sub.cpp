#include "graph/ops/arithmetic/sub.h"

#include "torch_ext/graph/operands.h"
#include "torch_ext/graph/sum_factor.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  check_factor(walk, node);
  if (std::string(node->kind().toQualString()) != "aten::rsub") return add_binary(walk, node, graph::Sub{});
  const graph::Dtype dtype = graph_dtype(walk, node, walk.dtype_of(node->output(0)));
  std::string a = promoted_operand(walk, node, 1, dtype), b = promoted_operand(walk, node, 0, dtype);
  walk.bind(node->output(0), walk.make(graph::Sub{}, {std::move(a), std::move(b)}));
}

}  // namespace

const TraceReader& sub() {
  static const TraceReader kReader{.kinds = {"aten::sub", "aten::sub_", "aten::rsub"}, .read = read};
  return kReader;
}

}  // namespace samebits::trace_ops
