// A b that the model transposes is read as it lies.
#include "graph/ops/matmul/matmul.h"

#include "graph/ops/shape/reshape.h"
#include "torch_ext/graph/operands.h"

namespace samebits::trace_ops {
namespace {

/// A matrix of a vector, as at::matmul makes it.
std::string matrix(TraceWalk& walk, const torch::jit::Node* node, std::size_t input) {
  std::string name = operand(walk, node, input, graph::Dtype::kFloat32);
  const std::vector<std::int64_t> sizes = walk.sizes_of(node->input(input));
  if (sizes.size() >= 2) return name;
  const graph::Dimension size = walk.shape_of(node->input(input))[0];
  return walk.make(graph::Reshape{input == 0 ? graph::Shape{1, size} : graph::Shape{size, 1}}, {name});
}

/// Whether b is another computed value with its last two dimensions swapped.
bool is_transposed(const TraceWalk& walk, const torch::jit::Node* maker) {
  const std::string kind = maker->kind().toQualString();
  if (kind == "aten::mT" || kind == "aten::t") return walk.is_from_input(maker->input(0));
  if (kind != "aten::transpose" || !walk.is_from_input(maker->input(0))) return false;
  const std::size_t rank = walk.sizes_of(maker->input(0)).size();
  const std::size_t a = dimension_at(walk, maker, 1, rank), b = dimension_at(walk, maker, 2, rank);
  return a + b + 3 == 2 * rank && a != b && a + 2 >= rank && b + 2 >= rank;
}

void read(TraceWalk& walk, const torch::jit::Node* node) {
  const torch::jit::Node* maker = node->input(1)->node();
  const bool transposes = is_transposed(walk, maker) && walk.sizes_of(node->input(1)).size() >= 2;
  std::string a = matrix(walk, node, 0),
              b = transposes ? walk.name_of(maker->input(0)) : matrix(walk, node, 1);
  const bool has_vector =
      walk.sizes_of(node->input(0)).size() < 2 || walk.sizes_of(node->input(1)).size() < 2;
  std::string y = walk.make(graph::Matmul{transposes}, {std::move(a), std::move(b)});
  if (has_vector) y = walk.make(graph::Reshape{walk.shape_of(node->output(0))}, {y});
  walk.bind(node->output(0), y);
}

}  // namespace

const TraceReader& matmul() {
  static const TraceReader kReader{.kinds = {"samebits::matmul"},
                                   .read = read,
                                   .exact = {{"aten::matmul", "samebits::matmul"},
                                             {"aten::bmm", "samebits::matmul"},
                                             {"aten::mm", "samebits::matmul"}}};
  return kReader;
}

}  // namespace samebits::trace_ops
