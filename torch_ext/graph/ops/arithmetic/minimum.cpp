#include "graph/ops/arithmetic/minimum.h"

#include "torch_ext/graph/operands.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  add_binary(walk, node, graph::Minimum{});
}

}  // namespace

const TraceReader& minimum() {
  static const TraceReader kReader{.kinds = {"aten::minimum"}, .read = read};
  return kReader;
}

}  // namespace samebits::trace_ops
