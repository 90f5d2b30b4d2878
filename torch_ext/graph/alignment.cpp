#include "torch_ext/graph/alignment.h"

#include <ATen/ops/equal.h>
#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <bit>
#include <sstream>

namespace samebits {
namespace {

namespace jit = torch::jit;

constexpr const char* kAdvice =
    "; a branch on values or sizes does not show in a trace: write it without one (torch::where), or build "
    "the "
    "model of samebits modules (QATLinear, …), whose forward may branch while it trains";

bool is_literal(const jit::Node* node) {
  return node->kind() == jit::prim::Constant || node->kind() == jit::prim::ListConstruct;
}

/// What computes: constants and lists are looked at where they are read.
std::vector<const jit::Node*> steps_of(const jit::Graph& graph) {
  std::vector<const jit::Node*> steps;
  for (const jit::Node* node : graph.nodes())
    if (!is_literal(node)) steps.push_back(node);
  return steps;
}

std::string kind_of(const std::vector<const jit::Node*>& steps, std::size_t i) {
  return i < steps.size() ? steps[i]->kind().toQualString() : "the end of the forward";
}

/// The module of the first parameter that the node reads; empty: it reads none.
std::string module_of(const jit::Node* node, const Alignment::Paths& paths) {
  for (const jit::Value* input : node->inputs()) {
    const auto path = paths.find(input);
    const std::size_t dot = path == paths.end() ? std::string::npos : path->second.rfind('.');
    if (dot != std::string::npos) return path->second.substr(0, dot);
  }
  return "";
}

std::string text_of(const c10::IValue& value) {
  std::ostringstream out;
  if (value.isTensor())
    out << "a tensor " << value.toTensor().sizes();
  else
    out << value;
  return out.str();
}

bool same(const c10::IValue& a, const c10::IValue& b) {
  if (a.tagKind() != b.tagKind()) return false;
  if (a.isDouble())
    return std::bit_cast<std::int64_t>(a.toDouble()) == std::bit_cast<std::int64_t>(b.toDouble());
  if (!a.isTensor()) return a.isGenerator() || a == b;
  const at::Tensor &x = a.toTensor(), &y = b.toTensor();
  if (!x.defined() || !y.defined()) return x.defined() == y.defined();
  return x.is_same(y) || (x.sizes() == y.sizes() && x.scalar_type() == y.scalar_type() && at::equal(x, y));
}

std::vector<std::int64_t> concrete_sizes(const jit::Value* value) {
  const auto type = value->type()->cast<c10::TensorType>();
  const auto sizes = type == nullptr ? std::nullopt : type->sizes().concrete_sizes();
  TORCH_CHECK(sizes.has_value(), "[trace] ", value->debugName(), ": expected a tensor of known shape, got ",
              value->type()->str());
  return *sizes;
}

}  // namespace

Alignment::Alignment(std::vector<TracePoint> points, const Paths& paths) : points_(std::move(points)) {
  others_.resize(points_.size());
  for (std::size_t point = 1; point < points_.size(); ++point) align(point, paths);
}

void Alignment::align(std::size_t point, const Paths& paths) {
  const jit::Graph &graph = *points_[0].graph, &other = *points_[point].graph;
  for (std::size_t i = 0; i < graph.inputs().size(); ++i)
    others_[point][graph.inputs()[i]] = other.inputs()[i];
  const auto steps = steps_of(graph), other_steps = steps_of(other);
  std::string where = "the input";
  for (std::size_t i = 0; i < std::max(steps.size(), other_steps.size()); ++i) {
    const std::string kind = kind_of(steps, i), other_kind = kind_of(other_steps, i);
    TORCH_CHECK(kind == other_kind, "[trace] after ", where,
                ": expected the same operators for every input, got ", kind, " for one and ", other_kind,
                " for another", kAdvice);
    const std::string module = module_of(steps[i], paths);
    where = kind + (module.empty() ? "" : " in " + module);
    align_inputs(steps[i], other_steps[i], point, where);
    for (std::size_t k = 0; k < steps[i]->outputs().size(); ++k)
      others_[point][steps[i]->output(k)] = other_steps[i]->output(k);
  }
  align_inputs(graph.return_node(), other.return_node(), point, "the end");
}

void Alignment::align_inputs(const jit::Node* node, const jit::Node* other, std::size_t point,
                             const std::string& where) {
  TORCH_CHECK(node->inputs().size() == other->inputs().size(), "[trace] ", where,
              ": expected as many inputs for every input of the model, got ", node->inputs().size(), " and ",
              other->inputs().size(), kAdvice);
  for (std::size_t i = 0; i < node->inputs().size(); ++i) {
    const Value *value = node->input(i), *other_value = other->input(i);
    const jit::Node *maker = value->node(), *other_maker = other_value->node();
    const auto known = others_[point].find(value);
    const bool is_same_value = known != others_[point].end() && !is_literal(maker)
                                   ? known->second == other_value
                                   : maker->kind() == other_maker->kind() && is_literal(maker);
    TORCH_CHECK(is_same_value, "[trace] ", where,
                ": expected to read the same values for every input of the model, got others", kAdvice);
    if (!is_literal(maker)) continue;
    others_[point][value] = other_value;
    if (maker->kind() == jit::prim::ListConstruct)
      align_inputs(maker, other_maker, point, where);
    else
      align_constants(value, other_value, where);
  }
}

void Alignment::align_constants(const Value* value, const Value* other, const std::string& where) {
  const c10::IValue mine = *jit::toIValue(value), theirs = *jit::toIValue(other);
  if (same(mine, theirs)) return;
  varying_[value] = true;
  const bool are_sizes =
      (mine.isInt() && theirs.isInt()) ||
      (mine.isIntList() && theirs.isIntList() && mine.toIntVector().size() == theirs.toIntVector().size());
  TORCH_CHECK(are_sizes, "[trace] ", where, ": expected constants that are the same for every input, got ",
              text_of(mine), " and ", text_of(theirs),
              "; compute with tensors what depends on values or sizes (item() and numbers made of sizes are "
              "written down as they were)");
}

const jit::Value* Alignment::other(const Value* value, std::size_t point) const {
  if (point == 0) return value;
  const auto found = others_[point].find(value);
  return found == others_[point].end() ? value : found->second;
}

std::optional<SymbolicSize> Alignment::fit(const Numbers& at) const {
  if (std::ranges::all_of(at, [&](std::int64_t n) { return n == at[0]; })) return SymbolicSize{at[0], 0};
  const auto& first = points_[0].sizes;
  const std::int64_t batches = points_[1].sizes[0] - first[0];
  SymbolicSize size;
  std::int64_t batch_rise = at[1] - at[0], sequence_rise = 0;
  if (points_.size() > 2) {
    const std::int64_t steps = points_[2].sizes[1] - first[1], both = at[3] - at[2] - at[1] + at[0];
    if (both % (steps * batches) != 0) return std::nullopt;
    size.product = both / (steps * batches);
    batch_rise -= size.product * batches * first[1];
    sequence_rise = at[2] - at[0] - size.product * steps * first[0];
    if (sequence_rise % steps != 0) return std::nullopt;
    size.linear.factors[1] = sequence_rise / steps;
  }
  if (batch_rise % batches != 0) return std::nullopt;
  size.linear.factors[0] = batch_rise / batches;
  size.linear.offset = at[0] - size.linear.factors[0] * first[0] - size.linear.factors[1] * first[1] -
                       size.product * first[0] * first[1];
  return size;
}

std::optional<std::vector<SymbolicSize>> Alignment::fit_all(const std::vector<Numbers>& at_points) const {
  std::vector<SymbolicSize> sizes;
  for (std::size_t i = 0; i < at_points[0].size(); ++i) {
    Numbers at;
    for (const Numbers& numbers : at_points) {
      if (numbers.size() != at_points[0].size()) return std::nullopt;
      at.push_back(numbers[i]);
    }
    const auto size = fit(at);
    if (!size.has_value()) return std::nullopt;
    sizes.push_back(*size);
  }
  return sizes;
}

std::optional<SymbolicSize> Alignment::size(const Value* constant) const {
  Numbers at;
  for (std::size_t point = 0; point < points_.size(); ++point)
    at.push_back(jit::toIValue(other(constant, point))->toInt());
  return fit(at);
}

std::optional<std::vector<SymbolicSize>> Alignment::sizes(const Value* constant) const {
  std::vector<Numbers> at;
  for (std::size_t point = 0; point < points_.size(); ++point)
    at.push_back(jit::toIValue(other(constant, point))->toIntVector());
  return fit_all(at);
}

std::optional<std::vector<SymbolicSize>> Alignment::shape(const Value* tensor) const {
  std::vector<Numbers> at;
  for (std::size_t point = 0; point < points_.size(); ++point)
    at.push_back(concrete_sizes(other(tensor, point)));
  return fit_all(at);
}

}  // namespace samebits
