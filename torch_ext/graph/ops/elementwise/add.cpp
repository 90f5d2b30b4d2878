#include "graph/ops/elementwise/add.h"

#include "torch_ext/graph/operands.h"
#include "torch_ext/graph/sum_factor.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  check_factor(walk, node);
  add_binary(walk, node, graph::Add{});
}

}  // namespace

const TraceReader& add() {
  static const TraceReader kReader{.kinds = {"aten::add", "aten::add_"}, .read = read};
  return kReader;
}

}  // namespace samebits::trace_ops
