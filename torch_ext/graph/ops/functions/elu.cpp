#include "graph/ops/functions/elu.h"

#include "torch_ext/graph/trace_reader.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  const auto number = [&](std::size_t input, const char* what) {
    return walk.constant<at::Scalar>(node, input, what).toFloat();
  };
  walk.add(graph::Elu{number(1, "alpha"), number(2, "scale"), number(3, "input scale")}, {node->input(0)},
           node->output(0));
}

}  // namespace

const TraceReader& elu() {
  static const TraceReader kReader{
      .kinds = {"samebits::elu"},
      .read = read,
      .exact = {{"aten::elu", "samebits::elu"}, {"aten::elu_", "samebits::elu"}}};
  return kReader;
}

}  // namespace samebits::trace_ops
