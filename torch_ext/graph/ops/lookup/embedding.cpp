#include "graph/ops/lookup/embedding.h"

#include "torch_ext/graph/trace_reader.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  const torch::Tensor table = walk.tensor(node, 0, "the table");
  walk.add(graph::Embedding{{table.sizes().vec(), values_of<float>(table)}}, {node->input(1)},
           node->output(0));
}

}  // namespace

const TraceReader& embedding() {
  static const TraceReader kReader{.kinds = {"aten::embedding"}, .read = read};
  return kReader;
}

}  // namespace samebits::trace_ops
