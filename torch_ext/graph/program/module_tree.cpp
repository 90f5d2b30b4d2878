#include "torch_ext/graph/program/module_tree.h"

#include <map>

namespace samebits {
namespace {

/// A submodule that holds tensors and a mode.
class Scope : public torch::nn::Module {
 public:
  Scope(const std::string& name, bool is_serializable)
      : torch::nn::Module(name), is_serializable_(is_serializable) {}
  bool is_serializable() const override { return is_serializable_; }
  void pretty_print(std::ostream& stream) const override { stream << name(); }

 private:
  bool is_serializable_;
};

using Made = std::map<const torch::nn::Module*, std::shared_ptr<torch::nn::Module>>;

void register_tensors_of(const torch::nn::Module& source, torch::nn::Module& target) {
  for (const auto& each : source.named_parameters(/*recurse=*/false))
    target.register_parameter(each.key(), each.value(), each.value().requires_grad());
  for (const auto& each : source.named_buffers(/*recurse=*/false))
    target.register_buffer(each.key(), each.value());
}

void mirror_into(const torch::nn::Module& source, torch::nn::Module& target, Made& made) {
  register_tensors_of(source, target);
  for (const auto& child : source.named_children()) {
    std::shared_ptr<torch::nn::Module>& copy = made[child.value().get()];
    if (copy == nullptr) {
      copy = std::make_shared<Scope>(child.value()->name(), child.value()->is_serializable());
      mirror_into(*child.value(), *copy, made);
    }
    target.register_module(child.key(), copy);
  }
}

/// Modes without going down to the children.
void copy_mode(const torch::nn::Module& from, torch::nn::Module& to) {
  if (to.is_training() != from.is_training()) to.torch::nn::Module::train(from.is_training());
  const auto children = to.named_children();
  for (const auto& child : from.named_children())
    if (const auto* same = children.find(child.key())) copy_mode(*child.value(), **same);
}

std::shared_ptr<torch::nn::Module> child_of(const torch::nn::Module& module, const std::string& name) {
  const auto children = module.named_children();
  const auto* child = children.find(name);
  return child == nullptr ? nullptr : *child;
}

/// Walks down `path`; `at_gap(module, name)` gives what stands where nothing is, or null to end there.
template <class AtGap>
torch::nn::Module& walk(torch::nn::Module& root, const std::string& path, AtGap at_gap) {
  torch::nn::Module* module = &root;
  for (std::size_t begin = 0; begin < path.size();) {
    const std::size_t end = std::min(path.find('.', begin), path.size());
    const std::string name = path.substr(begin, end - begin);
    std::shared_ptr<torch::nn::Module> child = child_of(*module, name);
    if (child == nullptr) child = at_gap(*module, name);
    if (child == nullptr) return *module;
    module = child.get();
    begin = end + 1;
  }
  return *module;
}

}  // namespace

std::pair<std::string, std::string> parted(const std::string& path) {
  const std::size_t dot = path.rfind('.');
  if (dot == std::string::npos) return {"", path};
  return {path.substr(0, dot), path.substr(dot + 1)};
}

void mirror(const torch::nn::Module& source, torch::nn::Module& target) {
  Made made;
  mirror_into(source, target, made);
  copy_mode(source, target);
}

torch::nn::Module& module_at(torch::nn::Module& root, const std::string& path) {
  return walk(root, path, [](torch::nn::Module& module, const std::string& name) {
    auto child = std::make_shared<Scope>(name, true);
    child->train(module.is_training());
    return module.register_module(name, std::static_pointer_cast<torch::nn::Module>(child));
  });
}

torch::nn::Module& nearest_module(torch::nn::Module& root, const std::string& path) {
  return walk(root, path, [](torch::nn::Module&, const std::string&) -> std::shared_ptr<torch::nn::Module> {
    return nullptr;
  });
}

void put_module(torch::nn::Module& root, const std::string& path,
                const std::shared_ptr<torch::nn::Module>& module) {
  const auto [owner_path, name] = parted(path);
  torch::nn::Module& owner = module_at(root, owner_path);
  const std::shared_ptr<torch::nn::Module> before = child_of(owner, name);
  if (before == module) return;
  module->train((before == nullptr ? owner : *before).is_training());
  if (before == nullptr)
    owner.register_module(name, module);
  else
    owner.replace_module(name, module);
}

void take_module(torch::nn::Module& root, const std::string& path, const torch::nn::Module& module) {
  const auto [owner_path, name] = parted(path);
  torch::nn::Module& owner = nearest_module(root, owner_path);
  if (child_of(owner, name).get() != &module) return;
  auto plain = std::make_shared<Scope>(name, true);
  register_tensors_of(module, *plain);
  plain->train(module.is_training());
  owner.replace_module(name, std::static_pointer_cast<torch::nn::Module>(plain));
}

void copy_modes(const torch::nn::Module& from, torch::nn::Module& to) {
  copy_mode(from, to);
}

}  // namespace samebits
