#include "graph/ops/arithmetic/div.h"

#include "graph/ops/shape/constant.h"
#include "torch_ext/graph/operands.h"

namespace samebits::trace_ops {
namespace {

void read(TraceWalk& walk, const torch::jit::Node* node) {
  if (std::string(node->kind().toQualString()) == "aten::reciprocal") {
    const std::string one =
        walk.make(graph::Constant{constant_of(walk, node, at::Scalar(1.0), graph::Dtype::kFloat32)}, {});
    return walk.bind(node->output(0), walk.make(graph::Div{}, {one, walk.name_of(node->input(0))}));
  }
  TORCH_CHECK(is_none(node, 2), "[export] after ", walk.previous(), ": expected no rounding_mode of ",
              node->kind().toQualString(), ", got one");
  add_binary(walk, node, graph::Div{});
}

}  // namespace

const TraceReader& div() {
  static const TraceReader kReader{
      .kinds = {"aten::div", "aten::div_", "aten::true_divide", "aten::reciprocal"}, .read = read};
  return kReader;
}

}  // namespace samebits::trace_ops
