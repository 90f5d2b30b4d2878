#include "graph/ops/reduce/adaptive_avg_pool2d.h"

#include "torch_ext/graph/trace_reader.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  walk.add(graph::AdaptiveAvgPool2d{walk.pair(node, 1, "output sizes")}, {node->input(0)}, node->output(0));
}

}  // namespace

const TraceReader& adaptive_avg_pool2d() {
  static const TraceReader kReader{.kinds = {"samebits::adaptive_avg_pool2d"},
                                   .read = read,
                                   .exact = {{"aten::adaptive_avg_pool2d", "samebits::adaptive_avg_pool2d"}}};
  return kReader;
}

}  // namespace samebits::trace_ops
