// Products, and small powers.
#include "graph/ops/arithmetic/mul.h"

#include "torch_ext/graph/operands.h"

namespace samebits::trace_ops {
namespace {

/// x · x, or x · x · x, as ATen multiplies them.
void read_power(TraceWalk& walk, const torch::jit::Node* node, double exponent) {
  TORCH_CHECK(exponent == 2 || exponent == 3, "[export] after ", walk.previous(),
              ": expected exponent 2 or 3 of ", node->kind().toQualString(), ", got ", exponent);
  const std::string x = walk.name_of(node->input(0));
  std::string y = walk.make(graph::Mul{}, {x, x});
  if (exponent == 3) y = walk.make(graph::Mul{}, {std::move(y), x});
  walk.bind(node->output(0), y);
}

void read(TraceWalk& walk, const torch::jit::Node* node) {
  const std::string kind = node->kind().toQualString();
  if (kind == "aten::square") return read_power(walk, node, 2);
  if (kind == "aten::pow")
    return read_power(walk, node, walk.constant<at::Scalar>(node, 1, "exponent").toDouble());
  add_binary(walk, node, graph::Mul{});
}

}  // namespace

const TraceReader& mul() {
  static const TraceReader kReader{.kinds = {"aten::mul", "aten::mul_", "aten::square", "aten::pow"},
                                   .read = read};
  return kReader;
}

}  // namespace samebits::trace_ops
