#include "torch_ext/graph/program/scopes.h"

#include <algorithm>
#include <map>
#include <set>

#include "torch_ext/graph/program/module_tree.h"

namespace samebits {
namespace {

/// "a.b" of "a.b.c" and "a.b.d.e"; whole names only.
std::string common_scope(const std::string& a, const std::string& b) {
  std::size_t end = 0;
  for (std::size_t i = 0; i <= std::min(a.size(), b.size()); ++i) {
    const bool a_ends = i == a.size() || a[i] == '.', b_ends = i == b.size() || b[i] == '.';
    if (a_ends && b_ends) end = i;
    if (i == a.size() || i == b.size() || a[i] != b[i]) break;
  }
  return a.substr(0, end);
}

/// The names of each tensor, and how many nodes have read it.
class TensorNames {
 public:
  explicit TensorNames(const Program& program) : program_(program) {
    for (const ProgramTensorEntry& entry : program.tensors)
      if (entry.kind != ProgramTensorEntry::kConstant) names_[impl(entry)].push_back(entry.name);
    for (auto& [tensor, names] : names_)
      std::ranges::sort(names, {}, [&](const auto& name) { return place(name); });
  }
  /// The module that the next reader of this tensor belongs to.
  std::string next_owner(const ProgramTensor& tensor) {
    const ProgramTensorEntry& entry = program_.tensors[tensor.index];
    if (entry.kind == ProgramTensorEntry::kConstant) return "";
    const auto& names = names_.at(impl(entry));
    return parted(names[std::min(reads_[impl(entry)]++, names.size() - 1)]).first;
  }

 private:
  static const void* impl(const ProgramTensorEntry& entry) { return entry.tensor.unsafeGetTensorImpl(); }
  std::size_t place(const std::string& name) const {
    return static_cast<std::size_t>(std::ranges::find(program_.tensors, name, &ProgramTensorEntry::name) -
                                    program_.tensors.begin());
  }

  const Program& program_;
  std::map<const void*, std::vector<std::string>> names_;
  std::map<const void*, std::size_t> reads_;
};

/// A view of a parameter belongs to where the parameter does.
std::vector<bool> scopes_of_parameters(Program& program) {
  TensorNames names(program);
  std::map<std::size_t, std::string> owners;  // of values that are made of parameters alone
  std::vector<bool> is_known;
  for (ProgramNode& node : program.nodes) {
    std::optional<std::string> scope;
    bool only_parameters = true;
    const auto visit = [&](const ProgramArgument& item) {
      std::optional<std::string> owner;
      if (const ProgramTensor* tensor = item.tensor())
        owner = names.next_owner(*tensor);
      else if (const ProgramValue* value = item.value(); value != nullptr && owners.contains(value->id))
        owner = owners.at(value->id);
      else if (value != nullptr)
        only_parameters = false;
      if (owner.has_value()) scope = scope.has_value() ? common_scope(*scope, *owner) : *owner;
    };
    for (const ProgramArgument& argument : node.arguments) for_each_item(argument, visit);
    if (node.layer == nullptr && scope.has_value()) node.scope = *scope;
    is_known.push_back(node.layer != nullptr || scope.has_value());
    if (!only_parameters || !scope.has_value()) continue;
    for (const auto& result : node.results)
      for (const ProgramValue value : result) owners[value.id] = *scope;
  }
  return is_known;
}

}  // namespace

void infer_scopes(Program& program) {
  const std::vector<bool> is_known = scopes_of_parameters(program);
  std::string before;
  for (std::size_t i = 0; i < program.nodes.size(); ++i) {
    if (is_known[i]) {
      before = program.nodes[i].scope;
      continue;
    }
    std::size_t next = i;
    while (next < program.nodes.size() && !is_known[next]) ++next;
    const std::string after = next < program.nodes.size() ? program.nodes[next].scope : "";
    program.nodes[i].scope = common_scope(before, after);
  }
}

}  // namespace samebits
