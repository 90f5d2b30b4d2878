#include "torch_ext/graph/program/rewrite.h"

#include <ATen/core/dispatch/Dispatcher.h>

#include <algorithm>
#include <set>

namespace samebits {
namespace {

std::size_t dimensions_of(const ProgramArgument& list) {
  const auto* items = std::get_if<ProgramList>(&list.is);
  return items != nullptr ? items->size() : list.literal()->toListRef().size();
}

ProgramArgument first_item(const ProgramArgument& list) {
  if (const auto* items = std::get_if<ProgramList>(&list.is)) return items->at(0);
  return {list.literal()->toListRef().at(0)};
}

/// Whether the argument is what the schema takes where nothing is written.
bool is_default(const ProgramArgument& argument, const c10::Argument& parameter) {
  const c10::IValue* literal = argument.literal();
  if (literal == nullptr) return false;
  return literal->isNone() ||
         (parameter.default_value().has_value() && *literal == *parameter.default_value());
}

bool takes(const c10::Argument& exact, const c10::Argument& parameter, const ProgramArgument& argument) {
  if (*exact.type() == *parameter.type()) return true;
  const auto inner = [](c10::TypePtr type) {
    const auto optional = type->cast<c10::OptionalType>();
    return optional != nullptr ? optional->getElementType() : type;
  };
  const bool wants_value = exact.type()->kind() != c10::TypeKind::OptionalType;
  return *inner(exact.type()) == *inner(parameter.type()) && !(wants_value && argument.is_none());
}

/// The node's arguments for the other schema; nothing: it cannot say the same.
std::optional<std::vector<ProgramArgument>> exact_arguments(const ProgramNode& node,
                                                            const c10::FunctionSchema& aten,
                                                            const c10::FunctionSchema& exact) {
  const auto &from = aten.arguments(), &to = exact.arguments();
  if (from.size() != node.arguments.size()) return std::nullopt;
  std::vector<ProgramArgument> arguments;
  for (std::size_t i = 0; i < to.size(); ++i) {
    if (i >= from.size()) {
      if (!to[i].default_value().has_value()) return std::nullopt;
      arguments.push_back({*to[i].default_value()});
      continue;
    }
    if (!takes(to[i], from[i], node.arguments[i])) return std::nullopt;
    arguments.push_back(node.arguments[i]);
  }
  for (std::size_t i = to.size(); i < from.size(); ++i)
    if (!is_default(node.arguments[i], from[i])) return std::nullopt;
  return arguments;
}

/// Whether the node writes to memory that another node may read: its own input elsewhere, an input of the
/// model, or what its input is a view of.
bool writes_what_is_read(Program& program, const ProgramNode& node, const c10::FunctionSchema& schema) {
  if (!schema.is_mutable()) return false;
  const ProgramValue* self = node.arguments[0].value();
  if (self == nullptr || uses(program, *self) != 1) return true;
  const ProgramNode* maker = producer(program, node.arguments[0]);
  if (maker == nullptr) return true;
  if (maker->layer != nullptr) return false;
  const auto op = c10::Dispatcher::singleton().findSchema({maker->op, maker->overload});
  return !op.has_value() || std::ranges::any_of(op->schema().returns(), [](const c10::Argument& result) {
    return result.alias_info() != nullptr && !result.alias_info()->isWrite();
  });
}

}  // namespace

void use_public_convolutions(Program& program) {
  for (ProgramNode& node : program.nodes) {
    if (node.op != "aten::_convolution") continue;
    enum { kX, kWeight, kBias, kStride, kPadding, kDilation, kTransposed, kOutputPadding, kGroups };
    const std::vector<ProgramArgument> a = node.arguments;
    const std::string rank = std::to_string(dimensions_of(a[kStride])) + "d";
    if (a[kTransposed].literal()->toBool()) {
      node.op = "aten::conv_transpose" + rank;
      node.overload = rank == "1d" ? "" : "input";
      node.arguments = {a[kX],       a[kWeight],        a[kBias],   a[kStride],
                        a[kPadding], a[kOutputPadding], a[kGroups], a[kDilation]};
    } else {
      node.op = "aten::conv" + rank;
      node.overload = "";
      node.arguments = {a[kX], a[kWeight], a[kBias], a[kStride], a[kPadding], a[kDilation], a[kGroups]};
    }
  }
}

void use_flat_convolutions(Program& program) {
  std::vector<ProgramNode> nodes;
  const auto add = [&](const ProgramNode& like, const char* op, std::vector<ProgramArgument> arguments) {
    const ProgramValue y = program.new_value();
    nodes.push_back(like);
    nodes.back().name += "_" + std::to_string(nodes.size());
    nodes.back().op = op;
    nodes.back().arguments = std::move(arguments);
    nodes.back().results = {{y}};
    return ProgramArgument{y};
  };
  for (ProgramNode& node : program.nodes) {
    if (node.op != "aten::conv1d" || !node.overload.empty()) {
      nodes.push_back(std::move(node));
      continue;
    }
    enum { kX, kWeight, kBias, kStride, kPadding, kDilation, kGroups };
    const ProgramArgument height{c10::IValue(std::int64_t{2})};
    std::vector<ProgramArgument> a = node.arguments;
    a[kX] = add(node, "aten::unsqueeze", {a[kX], height});
    a[kWeight] = add(node, "aten::unsqueeze", {a[kWeight], height});
    for (const auto& [place, of_height] : {std::pair{kStride, 1}, {kPadding, 0}, {kDilation, 1}})
      a[place] = {ProgramList{{c10::IValue(std::int64_t{of_height})}, first_item(a[place])}};
    const ProgramArgument y = add(node, "aten::conv2d", a);
    add(node, "aten::squeeze", {y, height});
    nodes.back().overload = "dim";
    nodes.back().results = node.results;
  }
  program.nodes = std::move(nodes);
}

void use_exact_operators(Program& program, const std::map<std::string, std::string>& exact) {
  auto& dispatcher = c10::Dispatcher::singleton();
  for (ProgramNode& node : program.nodes) {
    const auto pair = exact.find(node.op);
    if (node.layer != nullptr || pair == exact.end()) continue;
    const auto aten = dispatcher.findSchema({node.op, node.overload}),
               ours = dispatcher.findSchema({pair->second, ""});
    if (!aten.has_value() || !ours.has_value()) continue;
    if (writes_what_is_read(program, node, aten->schema())) continue;
    auto arguments = exact_arguments(node, aten->schema(), ours->schema());
    if (!arguments.has_value() || ours->schema().returns().size() < node.results.size()) continue;
    node.op = pair->second;
    node.overload = "";
    node.arguments = std::move(*arguments);
    node.results.resize(ours->schema().returns().size());
  }
}

std::vector<EmbeddingSite> quantize_embeddings(Program& program, const QConfig& config) {
  enum { kWeight, kIds, kPaddingIdx, kByFrequency, kSparse };
  std::vector<EmbeddingSite> sites;
  if (config.embedding_bits == 0) return sites;
  for (ProgramNode& node : program.nodes) {
    if (node.layer != nullptr || node.op != "aten::embedding") continue;
    const std::vector<ProgramArgument> a = node.arguments;
    const ProgramTensor* weight = a[kWeight].tensor();
    const bool is_plain = !a[kByFrequency].literal()->toBool() && !a[kSparse].literal()->toBool();
    if (weight == nullptr || program.tensors[weight->index].tensor.scalar_type() != at::kFloat || !is_plain)
      continue;
    sites.push_back({node.scope, config.layer(node.scope).skip});
    if (sites.back().is_skipped) continue;
    node.op = "samebits::quantized_embedding";
    node.overload = "";
    node.arguments = {a[kWeight], a[kIds], {c10::IValue(config.embedding_bits)}, a[kPaddingIdx]};
  }
  return sites;
}

void remove_unread(Program& program) {
  static const std::set<std::string> kKinds = {"aten::t", "aten::transpose", "aten::numpy_T", "aten::zeros"};
  for (std::size_t i = program.nodes.size(); i-- > 0;) {
    const ProgramNode& node = program.nodes[i];
    if (kKinds.contains(node.op) && uses(program, node.results[0][0]) == 0)
      program.nodes.erase(program.nodes.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

}  // namespace samebits
