// clamp with two bounds, hardtanh and relu6.
#include "graph/ops/elementwise/clamp.h"

#include "torch_ext/graph/trace_reader.h"

namespace samebits::trace_ops {
namespace {

float bound(const TraceWalk& walk, const torch::jit::Node* node, std::size_t input) {
  const auto value = walk.constant<std::optional<at::Scalar>>(node, input, "bound");
  TORCH_CHECK(value.has_value(), "[export] ", walk.made_name("clamp"), ": expected two bounds, got one");
  return value->to<float>();
}

void read(TraceWalk& walk, const torch::jit::Node* node) {
  const bool is_relu6 = std::string(node->kind().toQualString()).starts_with("aten::relu6");
  const graph::Clamp clamp =
      is_relu6 ? graph::Clamp{0, 6} : graph::Clamp{bound(walk, node, 1), bound(walk, node, 2)};
  walk.add(clamp, {node->input(0)}, node->output(0));
}

}  // namespace

const TraceReader& clamp() {
  static const TraceReader kReader{
      {"aten::clamp", "aten::clamp_", "aten::hardtanh", "aten::hardtanh_", "aten::relu6", "aten::relu6_"},
      read};
  return kReader;
}

}  // namespace samebits::trace_ops
