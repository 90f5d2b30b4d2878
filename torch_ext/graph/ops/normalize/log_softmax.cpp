#include "graph/ops/normalize/log_softmax.h"

#include "torch_ext/graph/ops/normalize/arguments.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  walk.add(graph::LogSoftmax{read_dim(walk, node)}, {node->input(0)}, node->output(0));
}

}  // namespace

const TraceReader& log_softmax() {
  static const TraceReader kReader{.kinds = {"samebits::log_softmax"},
                                   .read = read,
                                   .exact = {{"aten::log_softmax", "samebits::log_softmax"}}};
  return kReader;
}

}  // namespace samebits::trace_ops
