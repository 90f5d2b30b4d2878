#include "torch_ext/graph/ops/shape/reshape.h"

#include <algorithm>

#include "graph/ops/shape/flatten.h"
#include "graph/ops/shape/reshape.h"

namespace samebits::trace_ops {

void read_sizes(TraceWalk& walk, const torch::jit::Node* node) {
  const graph::Shape x = walk.shape_of(node->input(0)), y = walk.shape_of(node->output(0));
  const torch::ScalarType dtype = walk.dtype_of(node->input(0));
  TORCH_CHECK(walk.dtype_of(node->output(0)) == dtype, "[export] after ", walk.previous(), ": expected ",
              node->kind().toQualString(), " of sizes, got one of the dtype");
  if (x == y) return walk.pass_through(node);
  const std::size_t kept = y.empty() ? 0 : y.size() - 1;
  const bool flattens = dtype == torch::kFloat && kept >= 1 && y.size() < x.size() &&
                        std::equal(y.begin(), y.end() - 1, x.begin());
  if (flattens)
    return walk.add(graph::Flatten{static_cast<std::int64_t>(kept)}, {node->input(0)}, node->output(0));
  walk.add(graph::Reshape{y}, {node->input(0)}, node->output(0));
}

namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  read_sizes(walk, node);
}

}  // namespace

const TraceReader& reshape() {
  static const TraceReader kReader{
      .kinds = {"aten::_unsafe_view", "aten::squeeze", "aten::squeeze_", "aten::unflatten", "aten::unsqueeze",
                "aten::unsqueeze_", "aten::view_as", "aten::reshape_as"},
      .read = read};
  return kReader;
}

}  // namespace samebits::trace_ops
