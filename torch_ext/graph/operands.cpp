#include "torch_ext/graph/operands.h"

#include "graph/ops/logic/cast.h"
#include "graph/ops/shape/constant.h"

namespace samebits {

using graph::Dtype;
using torch::jit::Node;

Dtype graph_dtype(const TraceWalk& walk, const Node* node, torch::ScalarType dtype) {
  switch (dtype) {
    case torch::kFloat:
      return Dtype::kFloat32;
    case torch::kLong:
      return Dtype::kInt64;
    case torch::kBool:
      return Dtype::kBool;
    default:
      TORCH_CHECK(false, "[export] after ", walk.previous(), ": expected float32, int64 or bool of ",
                  node->kind().toQualString(), ", got ", dtype);
  }
}

graph::ConstantTensor constant_of(const TraceWalk& walk, const Node* node, const torch::Tensor& tensor) {
  graph::ConstantTensor constant{.dtype = graph_dtype(walk, node, tensor.scalar_type()),
                                 .shape = tensor.sizes().vec()};
  switch (constant.dtype) {
    case Dtype::kFloat32:
      constant.floats = values_of<float>(tensor);
      break;
    case Dtype::kInt64:
      constant.integers = values_of<std::int64_t>(tensor);
      break;
    case Dtype::kBool:
      constant.flags = values_of<std::uint8_t>(tensor.to(torch::kByte));
  }
  return constant;
}

graph::ConstantTensor constant_of(const TraceWalk& walk, const Node* node, const at::Scalar& number,
                                  Dtype dtype) {
  TORCH_CHECK(dtype == Dtype::kFloat32 || !number.isFloatingPoint(), "[export] after ", walk.previous(),
              ": expected an integer beside integers in ", node->kind().toQualString(), ", got ", number);
  constexpr torch::ScalarType kTypes[] = {torch::kFloat, torch::kLong, torch::kBool};
  return constant_of(walk, node, at::scalar_tensor(number, kTypes[static_cast<std::size_t>(dtype)]));
}

namespace {

/// A float number in a tensor of its own, as archives of torch.export have `x * 0.5`, takes the precision of
/// what it meets (torch's type promotion).
torch::Tensor as_met(const torch::Tensor& tensor, Dtype dtype) {
  const bool is_number = tensor.dim() == 0 && tensor.scalar_type() == torch::kDouble;
  return is_number && dtype == Dtype::kFloat32 ? tensor.to(torch::kFloat) : tensor;
}

}  // namespace

std::string operand(TraceWalk& walk, const Node* node, std::size_t input, Dtype dtype) {
  const torch::jit::Value* value = node->input(input);
  if (walk.is_from_input(value)) return walk.name_of(value);
  const auto constant = torch::jit::toIValue(value);
  const graph::ConstantTensor held =
      constant.has_value() && constant->isScalar()
          ? constant_of(walk, node, walk.constant<at::Scalar>(node, input, "number"), dtype)
          : constant_of(walk, node, as_met(walk.tensor(node, input, "operand"), dtype));
  return walk.make(graph::Constant{held}, {});
}

std::string promoted_operand(TraceWalk& walk, const Node* node, std::size_t input, Dtype dtype) {
  std::string name = operand(walk, node, input, dtype);
  const torch::jit::Value* value = node->input(input);
  const auto constant = torch::jit::toIValue(value);
  if (constant.has_value() && constant->isScalar()) return name;
  const torch::ScalarType own = walk.is_from_input(value)
                                    ? walk.dtype_of(value)
                                    : as_met(walk.tensor(node, input, "operand"), dtype).scalar_type();
  return graph_dtype(walk, node, own) == dtype ? name : walk.make(graph::Cast{dtype}, {name});
}

std::size_t dimension_at(const TraceWalk& walk, const Node* node, std::size_t input, std::size_t rank) {
  return static_cast<std::size_t>(at::maybe_wrap_dim(walk.constant<std::int64_t>(node, input, "dimension"),
                                                     static_cast<std::int64_t>(rank)));
}

bool is_none(const Node* node, std::size_t input) {
  if (input >= node->inputs().size()) return true;
  const auto value = torch::jit::toIValue(node->input(input));
  return value.has_value() && value->isNone();
}

}  // namespace samebits
