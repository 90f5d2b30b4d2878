#include "graph/ops/functions/leaky_relu.h"

#include "torch_ext/graph/trace_reader.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  const float slope = walk.constant<at::Scalar>(node, 1, "slope").toFloat();
  walk.add(graph::LeakyRelu{slope}, {node->input(0)}, node->output(0));
}

}  // namespace

const TraceReader& leaky_relu() {
  static const TraceReader kReader{
      .kinds = {"samebits::leaky_relu"},
      .read = read,
      .exact = {{"aten::leaky_relu", "samebits::leaky_relu"}, {"aten::leaky_relu_", "samebits::leaky_relu"}}};
  return kReader;
}

}  // namespace samebits::trace_ops
