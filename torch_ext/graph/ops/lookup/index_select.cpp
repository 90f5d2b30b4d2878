#include "graph/ops/lookup/index_select.h"

#include "torch_ext/graph/operands.h"

namespace samebits::trace_ops {
namespace {

/// x[…, index, …] of one tensor of integers. Returns its place in the list.
std::size_t indexed_dimension(const TraceWalk& walk, const torch::jit::Node* list) {
  std::size_t found = list->inputs().size(), count = 0;
  for (std::size_t i = 0; i < list->inputs().size(); ++i)
    if (!is_none(list, i)) {
      found = i;
      ++count;
    }
  TORCH_CHECK(count == 1, "[export] after ", walk.previous(), ": expected one index of aten::index, got ",
              count, "; index one dimension after another");
  return found;
}

void read(TraceWalk& walk, const torch::jit::Node* node) {
  const bool is_list = std::string(node->kind().toQualString()) == "aten::index";
  const torch::jit::Node* holder = is_list ? node->input(1)->node() : node;
  const std::size_t axis = is_list ? indexed_dimension(walk, holder)
                                   : dimension_at(walk, node, 1, walk.sizes_of(node->input(0)).size());
  std::string x = operand(walk, node, 0, graph::Dtype::kFloat32);
  std::string index = operand(walk, holder, is_list ? axis : 2, graph::Dtype::kInt64);
  walk.bind(node->output(0),
            walk.make(graph::IndexSelect{static_cast<std::int64_t>(axis)}, {std::move(x), std::move(index)}));
}

}  // namespace

const TraceReader& index_select() {
  static const TraceReader kReader{.kinds = {"aten::index_select", "aten::index"}, .read = read};
  return kReader;
}

}  // namespace samebits::trace_ops
