#include "graph/ops/normalize/softmax.h"

#include "torch_ext/graph/ops/normalize/arguments.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  walk.add(graph::Softmax{read_dim(walk, node)}, {node->input(0)}, node->output(0));
}

}  // namespace

const TraceReader& softmax() {
  static const TraceReader kReader{
      .kinds = {"samebits::softmax"}, .read = read, .exact = {{"aten::softmax", "samebits::softmax"}}};
  return kReader;
}

}  // namespace samebits::trace_ops
