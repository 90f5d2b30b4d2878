#include "graph/ops/lookup/gather.h"

#include "torch_ext/graph/operands.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  const std::size_t axis = dimension_at(walk, node, 1, walk.sizes_of(node->input(0)).size());
  std::string x = operand(walk, node, 0, graph::Dtype::kFloat32),
              index = operand(walk, node, 2, graph::Dtype::kInt64);
  walk.bind(node->output(0),
            walk.make(graph::Gather{static_cast<std::int64_t>(axis)}, {std::move(x), std::move(index)}));
}

}  // namespace

const TraceReader& gather() {
  static const TraceReader kReader{.kinds = {"aten::gather"}, .read = read};
  return kReader;
}

}  // namespace samebits::trace_ops
