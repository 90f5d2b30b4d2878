#include "graph/ops/arithmetic/abs.h"

#include "torch_ext/graph/trace_reader.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  walk.add(graph::Abs{}, {node->input(0)}, node->output(0));
}

}  // namespace

const TraceReader& abs() {
  static const TraceReader kReader{.kinds = {"aten::abs", "aten::abs_"}, .read = read};
  return kReader;
}

}  // namespace samebits::trace_ops
