// What readers make of parameters, buffers and numbers (torch_ext/graph/operands.h), and tensors of one
// number in the shape of another.
#include "graph/ops/shape/constant.h"

#include <algorithm>

#include "graph/ops/shape/expand.h"
#include "torch_ext/graph/operands.h"

namespace samebits::trace_ops {
namespace {

/// Whether only arithmetic of two reads the value, as its first operand, beside one of its shape: then one
/// number does. `1 - x` is such a fill_.
bool is_operand_alone(const TraceWalk& walk, const torch::jit::Value* value) {
  static const std::set<std::string> kArithmetic = {"aten::add", "aten::add_", "aten::sub", "aten::sub_",
                                                    "aten::mul", "aten::mul_", "aten::div", "aten::div_"};
  return std::ranges::all_of(value->uses(), [&](const torch::jit::Use& use) {
    if (use.offset != 0 || !kArithmetic.contains(use.user->kind().toQualString())) return false;
    const torch::jit::Value* other = use.user->input(1);
    return walk.is_from_input(other) && other != value && walk.shape_of(other) == walk.shape_of(value);
  });
}

void read(TraceWalk& walk, const torch::jit::Node* node) {
  const std::string kind = node->kind().toQualString();
  const graph::Dtype dtype = graph_dtype(walk, node, walk.dtype_of(node->output(0)));
  const bool has_value = kind == "aten::fill_" || kind == "aten::full_like";
  std::string number = has_value
                           ? operand(walk, node, 1, dtype)
                           : walk.make(graph::Constant{constant_of(
                                           walk, node, at::Scalar(kind == "aten::ones_like" ? 1 : 0), dtype)},
                                       {});
  if (!is_operand_alone(walk, node->output(0)))
    number = walk.make(graph::Expand{walk.shape_of(node->output(0))}, {std::move(number)});
  walk.bind(node->output(0), std::move(number));
}

}  // namespace

const TraceReader& constant() {
  static const TraceReader kReader{
      .kinds = {"aten::fill_", "aten::full_like", "aten::ones_like", "aten::zeros_like"}, .read = read};
  return kReader;
}

}  // namespace samebits::trace_ops
