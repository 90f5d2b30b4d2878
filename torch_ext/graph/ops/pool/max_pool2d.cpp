#include "graph/ops/pool/max_pool2d.h"

#include "torch_ext/graph/trace_reader.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  graph::MaxPool2d pool{.kernel = walk.pair(node, 1, "kernel sizes"),
                        .padding = walk.pair(node, 3, "paddings")};
  pool.stride = walk.strides(node, 2, pool.kernel);
  // samebits::max_pool2d has neither.
  if (node->inputs().size() > 4) {
    pool.dilation = walk.pair(node, 4, "dilations");
    pool.ceil_mode = walk.constant<bool>(node, 5, "ceil_mode");
  }
  walk.add(pool, {node->input(0)}, node->output(0));
}

}  // namespace

const TraceReader& max_pool2d() {
  static const TraceReader kReader{{"aten::max_pool2d", "samebits::max_pool2d"}, read};
  return kReader;
}

}  // namespace samebits::trace_ops
