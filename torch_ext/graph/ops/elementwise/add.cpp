#include "graph/ops/elementwise/add.h"

#include "torch_ext/graph/trace_reader.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  const torch::jit::Value *a = node->input(0), *b = node->input(1), *y = node->output(0);
  TORCH_CHECK(walk.constant<at::Scalar>(node, 2, "alpha").toDouble() == 1.0 &&
                  walk.sizes_of(a) == walk.sizes_of(y) && walk.is_from_input(b) &&
                  walk.sizes_of(b) == walk.sizes_of(y),
              "[export] after ", walk.previous(),
              ": expected the sum of two computed tensors of one shape, got another add");
  walk.add(graph::Add{}, {a, b}, y);
}

}  // namespace

const TraceReader& add() {
  static const TraceReader kReader{{"aten::add", "aten::add_"}, read};
  return kReader;
}

}  // namespace samebits::trace_ops
