#include "graph/ops/functions/gelu.h"

#include "torch_ext/graph/trace_reader.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  const auto approximate = walk.constant<std::string>(node, 1, "approximation");
  walk.add(graph::Gelu{approximate == "tanh"}, {node->input(0)}, node->output(0));
}

}  // namespace

const TraceReader& gelu() {
  static const TraceReader kReader{
      .kinds = {"samebits::gelu"},
      .read = read,
      .exact = {{"aten::gelu", "samebits::gelu"}, {"aten::gelu_", "samebits::gelu"}}};
  return kReader;
}

}  // namespace samebits::trace_ops
