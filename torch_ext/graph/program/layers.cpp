#include "torch_ext/graph/program/layers.h"

#include <torch/nn/module.h>

#include <algorithm>
#include <set>

#include "torch_ext/graph/program/module_tree.h"
#include "torch_ext/modules/qat_conv2d.h"
#include "torch_ext/modules/qat_linear.h"

namespace samebits {
namespace {

/// A literal integer or list of them; nothing where it is computed.
std::optional<std::int64_t> integer(const ProgramArgument& argument) {
  const c10::IValue* literal = argument.literal();
  return literal != nullptr && literal->isInt() ? std::optional(literal->toInt()) : std::nullopt;
}

std::optional<std::array<std::int64_t, 2>> pair(const ProgramArgument& argument) {
  std::vector<std::int64_t> values;
  if (const auto* list = std::get_if<ProgramList>(&argument.is)) {
    for (const ProgramArgument& item : *list) {
      const auto value = integer(item);
      if (!value.has_value()) return std::nullopt;
      values.push_back(*value);
    }
  } else if (const c10::IValue* literal = argument.literal(); literal != nullptr && literal->isIntList()) {
    values = literal->toIntVector();
  }
  if (values.size() == 1) return std::array{values[0], values[0]};
  return values.size() == 2 ? std::optional(std::array{values[0], values[1]}) : std::nullopt;
}

bool is_one(const ProgramArgument& argument) {
  const c10::IValue* literal = argument.literal();
  return literal != nullptr && literal->isScalar() && literal->toScalar().toDouble() == 1.0;
}

class Finder {
 public:
  Finder(const Program& program, const torch::nn::Module& root) : program_(program) {
    for (std::size_t i = 0; i < program.nodes.size(); ++i)
      for (const auto& result : program.nodes[i].results)
        for (const ProgramValue value : result) makers_[value.id] = i;
    for (const auto& each : root.named_modules("", /*include_self=*/false))
      modules_[each.key()] = each.value();
    mark_parameters();
  }

  std::vector<LayerSite> find() {
    std::vector<LayerSite> sites;
    for (std::size_t i = 0; i < program_.nodes.size(); ++i) {
      const ProgramNode& node = program_.nodes[i];
      if (node.layer != nullptr) continue;
      LayerSite site;
      const bool is_layer = (node.op == "aten::linear" && linear(node, site)) ||
                            (node.op == "aten::addmm" && addmm(node, site)) ||
                            ((node.op == "aten::matmul" || node.op == "aten::mm") && matmul(node, i, site)) ||
                            (node.op == "aten::conv2d" && conv2d(node, site));
      if (!is_layer) continue;
      site.nodes.insert(site.nodes.begin(), i);
      name(site, node);
      sites.push_back(std::move(site));
    }
    return sites;
  }

 private:
  /// Values that parameters alone make.
  void mark_parameters() {
    for (const ProgramNode& node : program_.nodes) {
      bool any = false, all = node.layer == nullptr;
      for (const ProgramArgument& argument : node.arguments)
        for_each_item(argument, [&](const ProgramArgument& item) {
          if (item.value() == nullptr && item.tensor() == nullptr) return;
          any = true;
          all = all && is_weight(item);
        });
      if (any && all)
        for (const auto& result : node.results)
          for (const ProgramValue value : result) weights_.insert(value.id);
    }
  }

  bool is_weight(const ProgramArgument& argument) const {
    if (const ProgramTensor* tensor = argument.tensor())
      return program_.tensors[tensor->index].kind == ProgramTensorEntry::kParameter;
    return argument.value() != nullptr && weights_.contains(argument.value()->id);
  }

  const ProgramNode* maker(const ProgramArgument& argument) const {
    if (argument.value() == nullptr) return nullptr;
    const auto found = makers_.find(argument.value()->id);
    return found == makers_.end() ? nullptr : &program_.nodes[found->second];
  }

  /// The weight of t(weight); null: it is no transposed one.
  const ProgramArgument* transposed(const ProgramArgument& argument) const {
    const ProgramNode* t = maker(argument);
    if (t == nullptr || !is_weight(argument)) return nullptr;
    if (t->op == "aten::t" || t->op == "aten::numpy_T") return &t->arguments[0];
    if (t->op != "aten::transpose") return nullptr;
    const auto a = integer(t->arguments[1]), b = integer(t->arguments[2]);
    const bool swaps =
        a.has_value() && b.has_value() &&
        ((*a == 0 && *b == 1) || (*a == 1 && *b == 0) || (*a == -2 && *b == -1) || (*a == -1 && *b == -2));
    return swaps ? &t->arguments[0] : nullptr;
  }

  bool set(LayerSite& site, const ProgramArgument& x, const ProgramArgument& weight,
           const ProgramArgument& bias) const {
    if (!is_weight(weight) || is_weight(x) || !(bias.is_none() || is_weight(bias))) return false;
    site.x = x;
    site.weight = weight;
    site.bias = bias;
    return true;
  }

  bool linear(const ProgramNode& node, LayerSite& site) const {
    site.product.is_aten_linear = true;
    return set(site, node.arguments[0], node.arguments[1], node.arguments[2]);
  }

  bool addmm(const ProgramNode& node, LayerSite& site) const {
    const ProgramArgument* weight = transposed(node.arguments[2]);
    return weight != nullptr && is_one(node.arguments[3]) && is_one(node.arguments[4]) &&
           set(site, node.arguments[1], *weight, node.arguments[0]);
  }

  /// x * t(weight), and the bias that the next node adds in place.
  bool matmul(const ProgramNode& node, std::size_t place, LayerSite& site) const {
    const ProgramArgument* weight = transposed(node.arguments[1]);
    if (weight == nullptr || !set(site, node.arguments[0], *weight, {c10::IValue()})) return false;
    const ProgramValue y = node.results[0][0];
    for (std::size_t i = place + 1; i < program_.nodes.size(); ++i) {
      const ProgramNode& add = program_.nodes[i];
      const bool reads =
          !add.arguments.empty() && add.arguments[0].value() != nullptr && *add.arguments[0].value() == y;
      if (!reads) continue;
      if (add.op == "aten::add_" && is_bias(add.arguments[1], *weight) && is_one(add.arguments[2]) &&
          uses(program_, y) == 1) {
        site.bias = add.arguments[1];
        site.nodes.push_back(i);
      }
      break;
    }
    return true;
  }

  /// Whether it is a parameter of one value an output of the weight.
  bool is_bias(const ProgramArgument& argument, const ProgramArgument& weight) const {
    const ProgramTensor *b = argument.tensor(), *w = weight.tensor();
    if (b == nullptr || !is_weight(argument)) return false;
    const at::Tensor& bias = program_.tensors[b->index].tensor;
    return bias.dim() == 1 && (w == nullptr || program_.tensors[w->index].tensor.size(0) == bias.size(0));
  }

  bool conv2d(const ProgramNode& node, LayerSite& site) const {
    if (!set(site, node.arguments[0], node.arguments[1], node.arguments[2])) return false;
    const auto stride = pair(node.arguments[3]), padding = pair(node.arguments[4]),
               dilation = pair(node.arguments[5]);
    const auto groups = integer(node.arguments[6]);
    if (!stride.has_value() || !padding.has_value() || !dilation.has_value() || !groups.has_value()) {
      site.refusal = "its window is not written as numbers";
      site.product.window.emplace();
    } else {
      site.product.window = ops::Conv2dWindow{*stride, *padding, *dilation, *groups};
    }
    return true;
  }

  /// "fc" where fc.weight and fc.bias are the very tensors; else a name of its own.
  void name(LayerSite& site, const ProgramNode& node) const {
    const ProgramTensor *weight = site.weight.tensor(), *bias = site.bias.tensor();
    site.owns_weight = weight != nullptr && (bias != nullptr || site.bias.is_none()) &&
                       holds_only(node.scope, tensor_of(weight), tensor_of(bias));
    site.path = node.scope;
    if (site.owns_weight) return;
    const std::string own =
        weight != nullptr ? parted(program_.tensors[weight->index].name).second : "product";
    const std::string suffix = "_weight";
    std::string layer = own;
    if (own.ends_with(suffix))
      layer.resize(own.size() - suffix.size());
    else if (weight != nullptr)
      layer += "_layer";  // beside the parameter
    if (own == "weight" && !node.scope.empty() && holds_nothing(node.scope))
      return;  // tied: the other name's place
    site.path += (site.path.empty() ? "" : ".") + layer;
  }

  at::Tensor tensor_of(const ProgramTensor* tensor) const {
    return tensor == nullptr ? at::Tensor() : program_.tensors[tensor->index].tensor;
  }

  bool holds_only(const std::string& path, const at::Tensor& weight, const at::Tensor& bias) const {
    const auto module = modules_.find(path);
    if (path.empty() || module == modules_.end() || !module->second->children().empty()) return false;
    const auto tensors = module->second->named_parameters(/*recurse=*/false);
    const std::size_t expected = bias.defined() ? 2 : 1;
    if (tensors.size() != expected || !module->second->buffers(/*recurse=*/false).empty()) return false;
    const auto is = [&](const char* name, const at::Tensor& tensor) {
      const at::Tensor* found = tensors.find(name);
      return found != nullptr && found->is_same(tensor);
    };
    return is("weight", weight) && (!bias.defined() || is("bias", bias));
  }

  bool holds_nothing(const std::string& path) const {
    const auto module = modules_.find(path);
    return module == modules_.end() ||
           (module->second->children().empty() && module->second->parameters().empty());
  }

  const Program& program_;
  std::map<std::size_t, std::size_t> makers_;  // of a value: the place of its node
  std::map<std::string, std::shared_ptr<torch::nn::Module>> modules_;
  std::set<std::size_t> weights_;
};

/// Makes the layers, one for what is the same.
class Layers {
 public:
  explicit Layers(const Program& program) : program_(program) {}

  std::shared_ptr<QATLayer> layer(LayerSite& site) {
    const torch::Tensor weight = value(site.weight), bias = value(site.bias);
    for (const Made& each : made_)
      if (each.path == site.path && weight.defined() && each.weight.is_same(weight) &&
          each.bias.is_same(bias) && each.layer->kind() == std::string(site.product.kind()))
        return each.layer;
    while (std::ranges::any_of(made_, [&](const Made& each) { return each.path == site.path; }))
      site.path += "_";
    std::shared_ptr<QATLayer> layer;
    if (site.product.window.has_value())
      layer = std::make_shared<QATConv2dImpl>(site.product, weight, bias, site.owns_weight);
    else
      layer = std::make_shared<QATLinearImpl>(site.product, weight, bias, site.owns_weight);
    made_.push_back({site.path, weight, bias, layer});
    return layer;
  }

 private:
  struct Made {
    std::string path;
    torch::Tensor weight, bias;
    std::shared_ptr<QATLayer> layer;
  };

  /// The parameter; undefined for what is made in each forward.
  torch::Tensor value(const ProgramArgument& argument) const {
    const ProgramTensor* tensor = argument.tensor();
    return tensor == nullptr ? torch::Tensor() : program_.tensors[tensor->index].tensor;
  }

  const Program& program_;
  std::vector<Made> made_;
};

}  // namespace

std::vector<LayerSite> find_layers(const Program& program, const torch::nn::Module& root) {
  return Finder(program, root).find();
}

Program with_layers(const Program& program, const std::vector<LayerSite>& sites) {
  Program changed = program;
  Layers layers(program);
  std::set<std::size_t> removed;
  for (LayerSite site : sites) {
    if (!site.refusal.empty()) continue;
    const ProgramNode &first = program.nodes[site.nodes.front()], &last = program.nodes[site.nodes.back()];
    ProgramNode node{.name = first.name, .op = first.op, .results = last.results, .source = first.source};
    node.grad_enabled = first.grad_enabled;
    node.layer = layers.layer(site);
    node.scope = site.path;
    node.arguments = {site.x};
    const bool is_made = site.weight.tensor() == nullptr || site.bias.value() != nullptr;
    if (is_made) node.arguments = {site.x, site.weight, site.bias};
    // Where y was made: a bias may be made between the product and the sum.
    changed.nodes[site.nodes.back()] = std::move(node);
    removed.insert(site.nodes.begin(), site.nodes.end() - 1);
  }
  std::size_t place = 0;
  std::erase_if(changed.nodes, [&](const ProgramNode&) { return removed.contains(place++); });
  return changed;
}

}  // namespace samebits
