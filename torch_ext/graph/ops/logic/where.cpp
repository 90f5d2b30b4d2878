#include "graph/ops/logic/where.h"

#include "torch_ext/graph/operands.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  const bool is_fill = std::string(node->kind().toQualString()) != "aten::where";
  TORCH_CHECK(node->inputs().size() == 3, "[export] after ", walk.previous(),
              ": expected a condition and two values of ", node->kind().toQualString(),
              ", got another where");
  const graph::Dtype dtype = graph_dtype(walk, node, walk.dtype_of(node->output(0)));
  // masked_fill(x, mask, value) takes the value where the mask is true.
  std::string condition = promoted_operand(walk, node, is_fill ? 1 : 0, graph::Dtype::kBool);
  std::string a = promoted_operand(walk, node, is_fill ? 2 : 1, dtype);
  std::string b = promoted_operand(walk, node, is_fill ? 0 : 2, dtype);
  walk.bind(node->output(0), walk.make(graph::Where{}, {std::move(condition), std::move(a), std::move(b)}));
}

}  // namespace

const TraceReader& where() {
  static const TraceReader kReader{.kinds = {"aten::where", "aten::masked_fill", "aten::masked_fill_"},
                                   .read = read};
  return kReader;
}

}  // namespace samebits::trace_ops
