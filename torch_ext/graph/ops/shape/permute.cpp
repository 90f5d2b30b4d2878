#include "graph/ops/shape/permute.h"

#include <algorithm>
#include <numeric>

#include "torch_ext/graph/trace_reader.h"

namespace samebits::trace_ops {
namespace {

bool is_number(const torch::jit::Node* node, std::size_t input) {
  const auto value = torch::jit::toIValue(node->input(input));
  return value.has_value() && value->isInt();
}

/// What the operator does to the dimensions: run on an array without elements whose sizes are their numbers.
graph::Sizes axes_of(const TraceWalk& walk, const torch::jit::Node* node, std::size_t rank) {
  const std::string kind = node->kind().toQualString();
  std::vector<std::int64_t> numbers(rank);
  std::iota(numbers.begin(), numbers.end(), 0);
  const torch::Tensor x = at::empty(numbers, at::kMeta);
  const auto dimension = [&](std::size_t input) {
    return walk.constant<std::int64_t>(node, input, "dimension");
  };
  if (kind == "aten::permute") return x.permute(walk.integers(node, 1, "dimensions")).sizes().vec();
  if (kind == "aten::movedim" && is_number(node, 1))
    return x.movedim(dimension(1), dimension(2)).sizes().vec();
  if (kind == "aten::movedim")
    return x.movedim(walk.integers(node, 1, "dimensions"), walk.integers(node, 2, "dimensions"))
        .sizes()
        .vec();
  if (kind == "aten::t" || kind == "aten::t_") return x.t().sizes().vec();
  if (kind == "aten::mT") return x.mT().sizes().vec();
  if (kind == "aten::numpy_T") {
    std::ranges::reverse(numbers);
    return numbers;
  }
  return x.transpose(dimension(1), dimension(2)).sizes().vec();
}

void read(TraceWalk& walk, const torch::jit::Node* node) {
  const graph::Sizes axes = axes_of(walk, node, walk.sizes_of(node->input(0)).size());
  if (std::ranges::is_sorted(axes)) return walk.pass_through(node);
  walk.add(graph::Permute{axes}, {node->input(0)}, node->output(0));
}

}  // namespace

const TraceReader& permute() {
  static const TraceReader kReader{
      .kinds = {"aten::permute", "aten::transpose", "aten::transpose_", "aten::swapaxes", "aten::swapdims",
                "aten::t", "aten::t_", "aten::mT", "aten::numpy_T", "aten::movedim"},
      .read = read};
  return kReader;
}

}  // namespace samebits::trace_ops
