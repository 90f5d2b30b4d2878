#include "graph/ops/logic/compare.h"

#include <algorithm>

#include "torch_ext/graph/operands.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  const std::string kind = std::string(node->kind().toQualString()).substr(std::string("aten::").size());
  const auto* found = std::find(std::begin(graph::kComparisonNames), std::end(graph::kComparisonNames), kind);
  const auto comparison = static_cast<graph::Comparison>(found - std::begin(graph::kComparisonNames));
  const torch::ScalarType own =
      walk.is_from_input(node->input(0)) ? walk.dtype_of(node->input(0)) : torch::kFloat;
  // Bools compare as integers; a number beside integers has to be one.
  const graph::Dtype dtype = own == torch::kFloat ? graph::Dtype::kFloat32 : graph::Dtype::kInt64;
  add_binary(walk, node, graph::Compare{comparison}, dtype);
}

}  // namespace

const TraceReader& compare() {
  static const TraceReader kReader{
      .kinds = {"aten::eq", "aten::ne", "aten::lt", "aten::le", "aten::gt", "aten::ge"}, .read = read};
  return kReader;
}

}  // namespace samebits::trace_ops
