#include "graph/ops/shape/cat.h"

#include "graph/ops/shape/reshape.h"
#include "torch_ext/graph/operands.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  const bool is_stack = std::string(node->kind().toQualString()) == "aten::stack";
  const graph::Shape y = walk.shape_of(node->output(0));
  const std::size_t axis = dimension_at(walk, node, 1, y.size());
  const torch::jit::Node* list = node->input(0)->node();
  walk.values(node, 0);  // which says so when it is none
  std::vector<std::string> names;
  for (std::size_t i = 0; i < list->inputs().size(); ++i) {
    names.push_back(operand(walk, list, i, graph::Dtype::kFloat32));
    if (!is_stack) continue;
    graph::Shape apart = y;
    apart[axis] = 1;
    names.back() = walk.make(graph::Reshape{apart}, {names.back()});
  }
  walk.bind(node->output(0), walk.make(graph::Cat{static_cast<std::int64_t>(axis)}, names));
}

}  // namespace

const TraceReader& cat() {
  static const TraceReader kReader{.kinds = {"aten::cat", "aten::concat", "aten::stack"}, .read = read};
  return kReader;
}

}  // namespace samebits::trace_ops
