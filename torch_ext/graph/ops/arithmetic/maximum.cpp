#include "graph/ops/arithmetic/maximum.h"

#include "torch_ext/graph/operands.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  add_binary(walk, node, graph::Maximum{});
}

}  // namespace

const TraceReader& maximum() {
  static const TraceReader kReader{.kinds = {"aten::maximum"}, .read = read};
  return kReader;
}

}  // namespace samebits::trace_ops
