#include "graph/ops/pool/avg_pool2d.h"

#include "torch_ext/graph/operands.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  graph::AvgPool2d pool{.kernel = walk.pair(node, 1, "kernel sizes"),
                        .padding = walk.pair(node, 3, "paddings"),
                        .ceil_mode = walk.constant<bool>(node, 4, "ceil_mode")};
  pool.stride = walk.strides(node, 2, pool.kernel);
  // Where nothing is padded both count the same.
  const bool is_padded = pool.padding != graph::Pair{0, 0};
  pool.count_include_pad = !is_padded || walk.constant<bool>(node, 5, "count_include_pad");
  TORCH_CHECK(is_none(node, 6), "[export] ", walk.made_name("avg_pool2d"),
              ": expected no divisor_override, got one; multiply the average");
  walk.add(pool, {node->input(0)}, node->output(0));
}

}  // namespace

const TraceReader& avg_pool2d() {
  static const TraceReader kReader{.kinds = {"aten::avg_pool2d"}, .read = read};
  return kReader;
}

}  // namespace samebits::trace_ops
