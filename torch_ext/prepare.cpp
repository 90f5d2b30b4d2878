#include "torch_ext/prepare.h"

#include <torch/nn.h>

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <typeinfo>
#include <utility>

#include "torch_ext/config/ends.h"
#include "torch_ext/config/yaml_reader.h"
#include "torch_ext/graph/graph_preparation.h"
#include "torch_ext/modules/layer_watch.h"
#include "torch_ext/modules/qat_conv2d.h"
#include "torch_ext/modules/qat_linear.h"
#include "torch_ext/quantizer/layer_quantizer.h"

namespace samebits {
namespace {

/// A float layer that stands in a Sequential, and the layer that will take its place.
struct Replacement {
  std::shared_ptr<torch::nn::SequentialImpl> holder;
  std::size_t index = 0;
  std::string name;  // in the holder
  std::shared_ptr<QATLayer> layer;
};

/// A batch norm directly behind a layer in a Sequential, and what will take its place.
struct Join {
  std::shared_ptr<torch::nn::SequentialImpl> holder;
  std::size_t index = 0;
  std::string name, path;  // in the holder, in the model
  std::shared_ptr<JoinedBatchNormImpl> batch_norm;
  std::shared_ptr<QATLayer> layer;
};

/// Everything that prepare() will change, found before it changes anything.
struct Plan {
  std::vector<std::pair<std::string, std::shared_ptr<QATLayer>>> layers;  // by path
  std::vector<Replacement> replacements;
  std::vector<Join> joins;
  std::vector<std::shared_ptr<QATLayer>> floats;  // an earlier prepare() may have set them up
  std::vector<LayerStatus> skipped;
  std::map<const QATLayer*, std::string> paths;  // of layers and floats
  std::vector<std::string> problems;
};

/// Which layer of torch the module is, or is derived from; empty: none.
std::string float_kind(const torch::nn::Module& module) {
  if (dynamic_cast<const torch::nn::LinearImpl*>(&module) != nullptr) return "nn::Linear";
  return dynamic_cast<const torch::nn::Conv2dImpl*>(&module) != nullptr ? "nn::Conv2d" : "";
}

/// A class derived from one computes by a forward of its own, which no QAT layer would call.
bool is_derived(const torch::nn::Module& float_layer) {
  return typeid(float_layer) != typeid(torch::nn::LinearImpl) &&
         typeid(float_layer) != typeid(torch::nn::Conv2dImpl);
}

std::shared_ptr<QATLayer> converted(torch::nn::Module& module) {
  if (auto* linear = dynamic_cast<torch::nn::LinearImpl*>(&module))
    return std::make_shared<QATLinearImpl>(*linear);
  return std::make_shared<QATConv2dImpl>(dynamic_cast<torch::nn::Conv2dImpl&>(module));
}

/// The module as a batch norm that the layer right before it may join; null: it may not.
std::shared_ptr<JoinedBatchNormImpl> joined_behind(const std::shared_ptr<QATLayer>& layer,
                                                   const torch::nn::Module& module) {
  if (layer == nullptr || layer->batch_norm() != nullptr) return nullptr;
  return joined_batch_norm(module, layer->kind(), layer->weight.size(0));
}

/// Walks the children of `module`; `path` is empty or ends with a dot.
void collect(const std::shared_ptr<torch::nn::Module>& shared, torch::nn::Module& module,
             const std::string& path, const QConfig& config, Plan& plan) {
  const auto sequential = std::dynamic_pointer_cast<torch::nn::SequentialImpl>(shared);
  std::size_t index = 0;
  std::shared_ptr<QATLayer> previous;  // the layer that stands right before, in a Sequential
  for (const auto& child : module.named_children()) {
    const std::shared_ptr<QATLayer> before = std::exchange(previous, nullptr);
    const std::string child_path = path + child.key();
    const bool skip = config.layer(child_path).skip;
    if (auto layer = as_qat_layer(child.value())) {
      previous = layer;
      if (skip) {
        plan.floats.push_back(layer);
        plan.skipped.push_back({child_path, layer->kind(), "", "", false, "the configuration skips it"});
      } else {
        plan.layers.emplace_back(child_path, layer);
      }
    } else if (const std::string kind = float_kind(*child.value()); !kind.empty()) {
      if (skip) {
        plan.skipped.push_back({child_path, kind, "", "", false, "the configuration skips it"});
        if (sequential != nullptr && !is_derived(*child.value())) {  // so that it computes the bits that ship
          plan.replacements.push_back({sequential, index, child.key(), converted(*child.value())});
          plan.floats.push_back(previous = plan.replacements.back().layer);
        }
      } else if (is_derived(*child.value())) {
        plan.problems.push_back(child_path + ": expected " + kind +
                                " itself, got a class derived from it, whose forward "
                                "a samebits layer would not call; derive from samebits::QAT" +
                                kind.substr(4) + "Impl, capture() the model, or skip it");
      } else if (sequential != nullptr) {
        plan.replacements.push_back({sequential, index, child.key(), converted(*child.value())});
        plan.layers.emplace_back(child_path, previous = plan.replacements.back().layer);
      } else {
        plan.problems.push_back(child_path + ": expected a samebits layer or a member of a Sequential, got " +
                                kind + " in a typed member; declare it samebits::QAT" + kind.substr(4) +
                                " or skip it");
      }
    } else if (auto batch_norm = sequential == nullptr ? nullptr : joined_behind(before, *child.value())) {
      plan.joins.push_back({sequential, index, child.key(), child_path, std::move(batch_norm), before});
    } else {
      collect(child.value(), *child.value(), child_path + ".", config, plan);
    }
    if (previous != nullptr) plan.paths[previous.get()] = child_path;
    ++index;
  }
}

/// A model that is one layer. No module holds it under a name: it has its own, in convert() too.
void collect_root(const std::shared_ptr<QATLayer>& layer, const QConfig& config, Plan& plan) {
  const std::string& path = layer->name();
  if (config.layer(path).skip) {
    plan.floats.push_back(layer);
    plan.skipped.push_back({path, layer->kind(), "", "", false, "the configuration skips it"});
  } else {
    plan.layers.emplace_back(path, layer);
  }
  plan.paths[layer.get()] = path;
}

/// Both of the Sequential's lists: the one that forward walks, and the one that parameters() walks.
template <class Place, class Layer>
void put(const Place& r, const std::shared_ptr<Layer>& layer) {
  *(r.holder->begin() + static_cast<std::ptrdiff_t>(r.index)) = torch::nn::AnyModule(layer);
  r.holder->replace_module(r.name, layer);
}

void replace(const Replacement& r) {
  if (const auto linear = std::dynamic_pointer_cast<QATLinearImpl>(r.layer)) return put(r, linear);
  put(r, std::dynamic_pointer_cast<QATConv2dImpl>(r.layer));
}

void put_back(const Replacement& r, const std::shared_ptr<torch::nn::Module>& before) {
  if (const auto linear = std::dynamic_pointer_cast<torch::nn::LinearImpl>(before)) return put(r, linear);
  put(r, std::dynamic_pointer_cast<torch::nn::Conv2dImpl>(before));
}

void put_back(const Join& join, const std::shared_ptr<torch::nn::Module>& before) {
  join.layer->join(nullptr);
  if (const auto norm = std::dynamic_pointer_cast<torch::nn::BatchNorm1dImpl>(before)) return put(join, norm);
  put(join, std::dynamic_pointer_cast<torch::nn::BatchNorm2dImpl>(before));
}

/// The first exceptions of the configuration that match no layer: a misspelt name would do nothing, silently.
std::vector<std::string> unmatched_exceptions(const QConfig& config, const Plan& plan) {
  std::vector<std::string> paths, lines;
  for (const auto& [path, layer] : plan.layers) paths.push_back(path);
  for (const LayerStatus& status : plan.skipped) paths.push_back(status.path);
  constexpr std::size_t kMostShown = 8;
  for (const auto& [glob, layer] : config.layers) {
    if (lines.size() == kMostShown) break;
    const auto matches = [&, glob = glob](const std::string& path) { return glob_matches(glob, path); };
    if (paths.empty() || glob == kEnds || std::any_of(paths.begin(), paths.end(), matches)) continue;
    lines.push_back("layers." + path_step(glob) +
                    ": expected the name of a layer or a glob that matches one, got no " +
                    "match; the nearest layer is \"" + nearest_name_of_any(glob, paths) + "\"");
  }
  return lines;
}

LayerConfig config_for(const QATLayer& layer, const std::string& path, const QConfig& config) {
  return layer.own_config().value_or(config.layer(path));
}

LayerStatus status_of(const QATLayer& layer, const LayerConfig& asked) {
  LayerStatus status{layer.path(),
                     layer.kind(),
                     scheme_text(layer.config().weight),
                     scheme_text(layer.config().activation),
                     true,
                     ""};
  if (layer.config().weight.granularity != asked.weight.granularity)
    status.note = "groups became channels: " + std::string(layer.kind()) + " has none";
  else if (layer.own_config().has_value())
    status.note = "scheme of its own options";
  if (layer.config().estimator != EstimatorKind::kSte)
    status.note += (status.note.empty() ? "trained by " : "; trained by ") +
                   std::string(estimator_name(layer.config().estimator));
  return status;
}

/// Adds to the layers' notes which batch norms they have joined. A join has a layer and a batch norm's path.
template <class Join>
void note_joins(const std::vector<Join>& joins, std::vector<LayerStatus>& statuses,
                const std::map<const QATLayer*, std::string>& paths) {
  for (const Join& join : joins)
    for (LayerStatus& status : statuses)
      if (status.path == paths.at(join.layer.get()))
        status.note += (status.note.empty() ? "with batch norm " : "; with batch norm ") + join.path;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) text += (text.empty() ? "" : "; ") + line;
  return text;
}

/// Float layers and batch norms that were put aside for QAT layers, put back unless keep() was called.
class Replacements {
 public:
  explicit Replacements(const Plan& plan) {
    for (const Replacement& each : plan.replacements) {
      const std::shared_ptr<torch::nn::Module> before = each.holder->ptr(each.index);
      each.layer->train(before->is_training());
      layers_.push_back({each, before});
      replace(each);
    }
    for (const Join& join : plan.joins) {
      const std::shared_ptr<torch::nn::Module> before = join.holder->ptr(join.index);
      join.batch_norm->train(before->is_training());
      batch_norms_.push_back({join, before});
      put(join, join.batch_norm);
      join.layer->join(join.batch_norm);
    }
  }
  ~Replacements() {
    for (const auto& [join, before] : batch_norms_) put_back(join, before);
    for (const auto& [each, before] : layers_) put_back(each, before);
  }
  Replacements(const Replacements&) = delete;
  Replacements& operator=(const Replacements&) = delete;
  void keep() {
    layers_.clear();
    batch_norms_.clear();
  }

 private:
  std::vector<std::pair<Replacement, std::shared_ptr<torch::nn::Module>>> layers_;
  std::vector<std::pair<Join, std::shared_ptr<torch::nn::Module>>> batch_norms_;
};

/// The QAT layers that a forward of the example meets, in its order. Changes nothing: evaluation mode, no
/// gradients.
std::vector<const QATLayer*> reached_layers(const ModelRef& model, const Tensors& examples) {
  std::vector<const QATLayer*> reached;
  const EvalGuard eval(model.module);
  const torch::NoGradGuard no_grad;
  const LayerWatch watch(
      [&](const QATLayer& layer, const torch::Tensor&, const torch::Tensor&) { reached.push_back(&layer); });
  model.call(examples);
  return reached;
}

void check_shippable(const std::vector<Unshippable>& unshippable) {
  std::string text;
  for (const Unshippable& each : unshippable) text += "\n  " + to_text(each);
  TORCH_CHECK(
      unshippable.empty(), "[prepare] model: expected operators that ship, got ", unshippable.size(),
      " that do not; compute them outside of the model, or train all the same with strict off:", text);
}

/// What a graph cannot make a layer of.
void add_refused(const GraphPreparation& graph, Plan& plan) {
  for (const RefusedLayer& each : graph.refused())
    plan.skipped.push_back({each.path, each.op, "", "", false, each.why});
}

void add_embeddings(const GraphPreparation& graph, int bits, Plan& plan) {
  for (const auto& [path, is_skipped] : graph.embeddings())
    plan.skipped.push_back(
        is_skipped ? LayerStatus{path, "embedding", "", "", false, "the configuration skips it"}
                   : LayerStatus{path, "embedding", "int" + std::to_string(bits) + " per row", "", true, ""});
}

void check_reached(const Plan& plan, const std::vector<const QATLayer*>& reached) {
  std::vector<std::string> unreached;
  for (const auto& [path, layer] : plan.layers)
    if (std::ranges::find(reached, layer.get()) == reached.end()) unreached.push_back(path);
  TORCH_CHECK(
      unreached.empty(), "[prepare] ", joined(unreached),
      ": expected to be reached by the example input, got no call; use the layer in forward, or skip it");
}

/// The configuration with the paths of the ends in the place of their exception.
QConfig with_ends(QConfig config, const Plan& plan, std::vector<const QATLayer*> reached) {
  std::erase_if(reached, [&](const QATLayer* each) {
    return std::ranges::none_of(plan.layers, [&](const auto& layer) { return layer.second.get() == each; });
  });
  std::vector<std::pair<std::string, LayerConfig>> layers;
  for (const auto& [glob, layer] : config.layers) {
    if (glob != kEnds) layers.emplace_back(glob, layer);
    if (glob != kEnds || reached.empty()) continue;
    layers.emplace_back(plan.paths.at(reached.front()), layer);
    layers.emplace_back(plan.paths.at(reached.back()), layer);
  }
  config.layers = std::move(layers);
  return config;
}

/// Every layer below the model, and what stands in the way of quantizing it.
Plan plan_of(const ModelRef& model, const QConfig& config, const std::optional<GraphPreparation>& graph) {
  Plan plan;
  if (graph.has_value()) {
    add_refused(*graph, plan);
    add_embeddings(*graph, config.embedding_bits, plan);
  }
  const std::shared_ptr<torch::nn::Module> root = model.module.weak_from_this().lock();
  if (auto layer = root == nullptr ? nullptr : as_qat_layer(root)) {
    collect_root(layer, config, plan);
  } else {
    collect(root, model.module, "", config, plan);
  }
  TORCH_CHECK(plan.problems.empty(), "[prepare] ", joined(plan.problems));
  const std::vector<std::string> unmatched = unmatched_exceptions(config, plan);
  TORCH_CHECK(unmatched.empty(), "[prepare] ", joined(unmatched));
  TORCH_CHECK(!plan.layers.empty() || !plan.floats.empty(),
              "[prepare] model: expected at least one layer to convert, got none; build it of QATLinear and "
              "QATConv2d");
  return plan;
}

void check_schemes(const Plan& plan, const QConfig& config) {
  for (const auto& [path, layer] : plan.layers)
    layer->quantizer().check(config_for(*layer, path, config), path, layer->weight);
}

}  // namespace

Prepared prepare(const ModelRef& model, const QConfig& asked_config, const Tensors& examples,
                 const PrepareOptions& options) {
  QConfig config = asked_config;
  config.check();
  std::optional<GraphPreparation> graph;
  if (auto* module = dynamic_cast<GraphModuleImpl*>(&model.module)) graph.emplace(*module, examples, config);
  Plan plan = plan_of(model, config, graph);
  check_schemes(plan, config);

  Replacements replacements(plan);
  const std::vector<const QATLayer*> reached = reached_layers(model, examples);
  check_reached(plan, reached);
  config = with_ends(std::move(config), plan, reached);
  check_schemes(plan, config);
  Prepared prepared;
  prepared.unshippable_ = unshippable_operators(model, examples);
  if (options.strict && graph.has_value()) check_shippable(prepared.unshippable_);

  // From here on nothing throws: the model is changed as a whole or not at all.
  replacements.keep();
  if (graph.has_value()) graph->keep();
  for (const auto& layer : plan.floats) layer->skip();
  for (const auto& [path, layer] : plan.layers) {
    const LayerConfig& asked = config_for(*layer, path, config);
    layer->configure(asked, path, options.observe_steps);
    layer->set_state(QuantizerState::kObserving);
    layer->quantizer().share_flags(prepared.flags_);
    prepared.layers_.push_back(layer);
    prepared.statuses_.push_back(status_of(*layer, asked));
  }
  prepared.statuses_.insert(prepared.statuses_.end(), plan.skipped.begin(), plan.skipped.end());
  note_joins(plan.joins, prepared.statuses_, plan.paths);
  if (graph.has_value()) note_joins(graph->joined(), prepared.statuses_, plan.paths);
  for (const auto& [layer, path] : plan.paths)
    if (layer->batch_norm() != nullptr) prepared.batch_norms_.push_back(layer->batch_norm());
  return prepared;
}

}  // namespace samebits
