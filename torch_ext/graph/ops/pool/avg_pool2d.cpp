#include "graph/ops/pool/avg_pool2d.h"

#include "torch_ext/graph/trace_reader.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  graph::AvgPool2d pool{.kernel = walk.pair(node, 1, "kernel sizes"),
                        .padding = walk.pair(node, 3, "paddings")};
  pool.stride = walk.strides(node, 2, pool.kernel);
  const bool is_padded = pool.padding != graph::Pair{0, 0};
  const bool counts_padding = walk.constant<bool>(node, 5, "count_include_pad");
  TORCH_CHECK(
      !walk.constant<bool>(node, 4, "ceil_mode") && (counts_padding || !is_padded) &&
          torch::jit::toIValue(node->input(6))->isNone(),
      "[export] ", walk.made_name("avg_pool2d"),
      ": expected ceil_mode false, count_include_pad true and no divisor_override, got another average; pad "
      "or crop before the pool");
  walk.add(pool, {node->input(0)}, node->output(0));
}

}  // namespace

const TraceReader& avg_pool2d() {
  static const TraceReader kReader{{"aten::avg_pool2d"}, read};
  return kReader;
}

}  // namespace samebits::trace_ops
