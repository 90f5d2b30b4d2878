#include "torch_ext/graph/program/attention.h"

#include <limits>
#include <string>

namespace samebits {
namespace {

/// Places of the operator's arguments.
enum : std::size_t { kQuery, kKey, kValue, kMask, kDropout, kIsCausal, kScale, kIsGrouped, kArguments };

ProgramArgument integer(std::int64_t value) {
  return {c10::IValue(value)};
}

class Rewriter {
 public:
  explicit Rewriter(Program& program) : program_(program) {}

  void run() {
    std::vector<ProgramNode> nodes = std::move(program_.nodes);
    for (ProgramNode& node : nodes) {
      if (node.op == "aten::scaled_dot_product_attention" && is_plain(node))
        build(node);
      else
        made_.push_back(std::move(node));
    }
    program_.nodes = std::move(made_);
  }

 private:
  bool is_plain(const ProgramNode& node) const {
    if (node.arguments.size() != kArguments) return false;
    const auto& a = node.arguments;
    for (const std::size_t place : {kDropout, kIsCausal, kScale, kIsGrouped})
      if (a[place].literal() == nullptr) return false;
    return !a[kIsGrouped].literal()->toBool() && (a[kMask].is_none() || a[kMask].tensor() != nullptr);
  }

  void build(const ProgramNode& node) {
    const auto& a = node.arguments;
    ProgramArgument scale = a[kScale];
    if (scale.is_none())
      scale = add(node, "_operator.pow", "", {size(node, a[kQuery], -1), {c10::IValue(-0.5)}});
    const ProgramArgument q = add(node, "aten::mul", "Scalar", {a[kQuery], scale}),
                          k = add(node, "aten::transpose", "int", {a[kKey], integer(-2), integer(-1)});
    ProgramArgument scores = masked(node, add(node, "aten::matmul", "", {q, k}));
    scores = add(node, "aten::softmax", "int", {scores, integer(-1), {c10::IValue()}});
    const double dropout = a[kDropout].literal()->toScalar().toDouble();
    if (dropout > 0)
      scores = add(node, "aten::dropout", "", {scores, {c10::IValue(dropout)}, {c10::IValue(true)}});
    add(node, "aten::matmul", "", {scores, a[kValue]});
    made_.back().results = node.results;
  }

  ProgramArgument masked(const ProgramNode& node, const ProgramArgument& scores) {
    const ProgramArgument &mask = node.arguments[kMask],
                          infinity{c10::IValue(-std::numeric_limits<double>::infinity())};
    if (const ProgramTensor* tensor = mask.tensor()) {
      if (program_.tensors[tensor->index].tensor.scalar_type() != at::kBool)
        return add(node, "aten::add", "Tensor", {scores, mask, integer(1)});
      const ProgramArgument hidden = add(node, "aten::logical_not", "", {mask});
      return add(node, "aten::masked_fill", "Scalar", {scores, hidden, infinity});
    }
    if (!node.arguments[kIsCausal].literal()->toBool()) return scores;
    const ProgramArgument rows = add(node, "aten::unsqueeze", "", {places(node, kQuery), integer(1)});
    const ProgramArgument later = add(node, "aten::gt", "Tensor", {places(node, kKey), rows});
    return add(node, "aten::masked_fill", "Scalar", {scores, later, infinity});
  }

  /// 0, 1, … along the sequence of an argument.
  ProgramArgument places(const ProgramNode& node, std::size_t argument) {
    const ProgramArgument none{c10::IValue()};
    return add(node, "aten::arange", "",
               {size(node, node.arguments[argument], -2), integer(static_cast<std::int64_t>(at::kLong)), none,
                device(), none});
  }

  ProgramArgument device() const {
    if (program_.tensors.empty()) return {c10::IValue(at::Device(at::kCPU))};
    return {c10::IValue(program_.tensors[0].tensor.device())};
  }

  ProgramArgument size(const ProgramNode& node, const ProgramArgument& x, std::int64_t axis) {
    return add(node, "aten::sym_size", "int", {x, integer(axis)});
  }

  /// A node like `node` of another operator, which gives one value.
  ProgramArgument add(const ProgramNode& node, const std::string& op, const std::string& overload,
                      ProgramList arguments) {
    const ProgramValue y = program_.new_value();
    made_.push_back(node);
    ProgramNode& made = made_.back();
    made.name.append("_").append(std::to_string(made_.size()));
    made.op = op;
    made.overload = overload;
    made.arguments = std::move(arguments);
    made.results = {{y}};
    return {y};
  }

  Program& program_;
  std::vector<ProgramNode> made_;
};

}  // namespace

void use_plain_attention(Program& program) {
  Rewriter(program).run();
}

}  // namespace samebits
