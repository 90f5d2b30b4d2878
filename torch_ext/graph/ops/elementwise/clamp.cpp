// clamp with one bound or two numbers, hardtanh and relu6.
#include "graph/ops/elementwise/clamp.h"

#include "torch_ext/graph/operands.h"

namespace samebits::trace_ops {
namespace {

float bound(const TraceWalk& walk, const torch::jit::Node* node, std::size_t input, float none) {
  return is_none(node, input) ? none : walk.constant<at::Scalar>(node, input, "bound").to<float>();
}

graph::Clamp clamp_of(const TraceWalk& walk, const torch::jit::Node* node) {
  const std::string kind = node->kind().toQualString();
  if (kind.starts_with("aten::relu6")) return {0, 6};
  if (kind == "aten::clamp_max") return {graph::kNoLow, bound(walk, node, 1, graph::kNoHigh)};
  return {bound(walk, node, 1, graph::kNoLow), bound(walk, node, 2, graph::kNoHigh)};
}

void read(TraceWalk& walk, const torch::jit::Node* node) {
  walk.add(clamp_of(walk, node), {node->input(0)}, node->output(0));
}

}  // namespace

const TraceReader& clamp() {
  static const TraceReader kReader{
      .kinds = {"aten::clamp", "aten::clamp_", "aten::clamp_min", "aten::clamp_max", "aten::hardtanh",
                "aten::hardtanh_", "aten::relu6", "aten::relu6_"},
      .read = read};
  return kReader;
}

}  // namespace samebits::trace_ops
