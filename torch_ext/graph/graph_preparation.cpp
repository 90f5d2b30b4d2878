#include "torch_ext/graph/graph_preparation.h"

#include <set>

#include "torch_ext/graph/program/attention.h"
#include "torch_ext/graph/program/layers.h"
#include "torch_ext/graph/program/recurrent.h"
#include "torch_ext/graph/trace_reader.h"
#include "torch_ext/modules/layer_watch.h"
#include "torch_ext/modules/qat_layer.h"

namespace samebits {
namespace {

/// Runs the graph once, in eval mode. Gives the layers whose outputs have their channels in the second
/// dimension, where a batch norm wants them: convolutions, and linear layers of rows.
std::set<const QATLayer*> layers_of_channels(GraphModuleImpl& graph, const Tensors& examples) {
  std::set<const QATLayer*> layers, others;
  const EvalGuard eval(graph);
  const torch::NoGradGuard no_grad;
  const LayerWatch watch([&](const QATLayer& layer, const torch::Tensor&, const torch::Tensor& y) {
    const bool is_linear = !layer.quantizer().product().window.has_value();
    (is_linear && y.dim() != 2 ? others : layers).insert(&layer);
  });
  Tensors inputs;
  for (const torch::Tensor& each : examples) inputs.push_back(each.clone());
  graph.forward(inputs);
  for (const QATLayer* each : others) layers.erase(each);
  return layers;
}

}  // namespace

GraphPreparation::GraphPreparation(GraphModuleImpl& graph, const Tensors& examples, const QConfig& config)
    : graph_(graph), before_(std::make_unique<Program>(graph.program())) {
  Program changed = with_recurrent_layers(graph.program(), refused_);
  use_flat_convolutions(changed);
  use_plain_attention(changed);
  const std::vector<LayerSite> sites = find_layers(changed, graph);
  for (const LayerSite& site : sites)
    if (!site.refusal.empty())
      refused_.push_back({site.path, changed.nodes[site.nodes.front()].op, site.refusal});
  changed = with_layers(changed, sites);
  remove_unread(changed);
  embeddings_ = quantize_embeddings(changed, config);
  graph.set_program(changed);
  joined_ = join_batch_norms(changed, layers_of_channels(graph, examples));
  // Rewrites of what stands between the layers: after what became part of one.
  use_exact_operators(changed, exact_operators());
  graph.set_program(std::move(changed));
}

GraphPreparation::~GraphPreparation() {
  if (before_ != nullptr) graph_.set_program(std::move(*before_));
}

}  // namespace samebits
