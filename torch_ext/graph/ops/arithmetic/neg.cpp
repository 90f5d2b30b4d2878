#include "graph/ops/arithmetic/neg.h"

#include "torch_ext/graph/trace_reader.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  walk.add(graph::Neg{}, {node->input(0)}, node->output(0));
}

}  // namespace

const TraceReader& neg() {
  static const TraceReader kReader{.kinds = {"aten::neg", "aten::neg_"}, .read = read};
  return kReader;
}

}  // namespace samebits::trace_ops
