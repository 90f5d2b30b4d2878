#include "graph/ops/logic/logical.h"

#include "graph/ops/shape/constant.h"
#include "torch_ext/graph/operands.h"

namespace samebits::trace_ops {
namespace {

graph::LogicalKind kind_of(const std::string& kind) {
  if (kind.find("xor") != std::string::npos || kind.find("not") != std::string::npos)
    return graph::LogicalKind::kXor;
  return kind.find("and") != std::string::npos ? graph::LogicalKind::kAnd : graph::LogicalKind::kOr;
}

void read(TraceWalk& walk, const torch::jit::Node* node) {
  const std::string kind = node->kind().toQualString();
  TORCH_CHECK(walk.dtype_of(node->output(0)) == torch::kBool, "[export] after ", walk.previous(),
              ": expected bools of ", kind, ", got ", walk.dtype_of(node->output(0)));
  if (kind.find("not") == std::string::npos) return add_binary(walk, node, graph::Logical{kind_of(kind)});
  std::string x = promoted_operand(walk, node, 0, graph::Dtype::kBool);
  const std::string yes =
      walk.make(graph::Constant{constant_of(walk, node, at::Scalar(true), graph::Dtype::kBool)}, {});
  walk.bind(node->output(0), walk.make(graph::Logical{graph::LogicalKind::kXor}, {std::move(x), yes}));
}

}  // namespace

const TraceReader& logical() {
  static const TraceReader kReader{
      .kinds = {"aten::logical_and", "aten::logical_or", "aten::logical_xor", "aten::logical_not",
                "aten::bitwise_and", "aten::bitwise_or", "aten::bitwise_xor", "aten::bitwise_not",
                "aten::__and__", "aten::__or__", "aten::__xor__"},
      .read = read};
  return kReader;
}

}  // namespace samebits::trace_ops
