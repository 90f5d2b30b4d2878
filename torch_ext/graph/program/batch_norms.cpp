#include "torch_ext/graph/program/batch_norms.h"

#include <algorithm>
#include <optional>

#include "torch_ext/graph/program/module_tree.h"
#include "torch_ext/modules/joined_batch_norm.h"
#include "torch_ext/modules/qat_layer.h"

namespace samebits {
namespace {

/// Places of aten::batch_norm's arguments.
enum : std::size_t { kInput, kWeight, kBias, kMean, kVariance, kTraining, kMomentum, kEps, kArguments = 9 };

at::Tensor tensor_of(const Program& program, const ProgramArgument& argument) {
  const ProgramTensor* tensor = argument.tensor();
  return tensor == nullptr ? at::Tensor() : program.tensors[tensor->index].tensor;
}

std::optional<double> number(const ProgramArgument& argument) {
  const c10::IValue* literal = argument.literal();
  return literal != nullptr && literal->isDouble() ? std::optional(literal->toDouble()) : std::nullopt;
}

/// A batch norm of these arguments that shares their tensors; null: a layer of `channels` outputs cannot join
/// it.
std::shared_ptr<JoinedBatchNormImpl> batch_norm_of(const Program& program, const ProgramNode& node,
                                                   std::int64_t channels) {
  const auto argument = [&](std::size_t place) -> const ProgramArgument& { return node.arguments[place]; };
  const auto is_tensor_or_none = [&](std::size_t place) {
    return argument(place).tensor() != nullptr || argument(place).is_none();
  };
  const at::Tensor mean = tensor_of(program, argument(kMean)),
                   variance = tensor_of(program, argument(kVariance));
  const auto momentum = number(argument(kMomentum)), eps = number(argument(kEps));
  if (!mean.defined() || !variance.defined() || mean.size(0) != channels || !momentum.has_value() ||
      !eps.has_value() || !is_tensor_or_none(kWeight) || !is_tensor_or_none(kBias))
    return nullptr;
  const at::Tensor weight = tensor_of(program, argument(kWeight));
  const auto options =
      torch::nn::BatchNormOptions(channels).eps(*eps).momentum(*momentum).affine(weight.defined());
  return std::make_shared<JoinedBatchNormImpl>(
      options, JoinedBatchNormImpl::Parameters{weight, tensor_of(program, argument(kBias))},
      JoinedBatchNormImpl::Statistics{mean, variance, at::Tensor()});
}

std::size_t calls_of(const Program& program, const QATLayer& layer) {
  return static_cast<std::size_t>(std::ranges::count_if(
      program.nodes, [&](const ProgramNode& node) { return node.layer.get() == &layer; }));
}

/// The node of a layer whose output only this argument reads; null: there is none.
ProgramNode* layer_before(Program& program, const ProgramArgument& argument,
                          const std::set<const QATLayer*>& candidates) {
  ProgramNode* const node = producer(program, argument);
  if (node == nullptr || node->layer == nullptr || !candidates.contains(node->layer.get())) return nullptr;
  const bool is_free = node->layer->batch_norm() == nullptr && node->arguments.size() == 1 &&
                       uses(program, *argument.value()) == 1 && calls_of(program, *node->layer) == 1;
  return is_free ? node : nullptr;
}

}  // namespace

std::vector<JoinedNode> join_batch_norms(Program& program, const std::set<const QATLayer*>& candidates) {
  std::vector<JoinedNode> joined;
  for (std::size_t i = 0; i < program.nodes.size(); ++i) {
    const ProgramNode& node = program.nodes[i];
    if (node.op != "aten::batch_norm" || node.arguments.size() != kArguments) continue;
    ProgramNode* const before = layer_before(program, node.arguments[kInput], candidates);
    if (before == nullptr) continue;
    auto batch_norm = batch_norm_of(program, node, before->layer->weight.size(0));
    if (batch_norm == nullptr) continue;
    const std::string& mean = program.tensors[node.arguments[kMean].tensor()->index].name;
    joined.push_back({before->layer, parted(mean).first});
    before->layer->join(std::move(batch_norm));
    before->results = node.results;
    program.nodes.erase(program.nodes.begin() + static_cast<std::ptrdiff_t>(i--));
  }
  return joined;
}

}  // namespace samebits
