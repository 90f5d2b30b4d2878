#include "graph/ops/elementwise/relu.h"

#include "torch_ext/graph/trace_reader.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  walk.add(graph::Relu{}, {node->input(0)}, node->output(0));
}

}  // namespace

const TraceReader& relu() {
  static const TraceReader kReader{{"aten::relu", "aten::relu_", "samebits::relu"}, read};
  return kReader;
}

}  // namespace samebits::trace_ops
