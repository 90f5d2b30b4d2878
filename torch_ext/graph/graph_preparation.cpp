#include "torch_ext/graph/graph_preparation.h"

#include "torch_ext/graph/program/layers.h"
#include "torch_ext/graph/program/rewrite.h"
#include "torch_ext/graph/trace_reader.h"

namespace samebits {

GraphPreparation::GraphPreparation(GraphModuleImpl& graph, const Tensors& examples)
    : graph_(graph), before_(std::make_unique<Program>(graph.program())) {
  const std::vector<LayerSite> sites = find_layers(graph.program(), graph);
  for (const LayerSite& site : sites)
    if (!site.refusal.empty())
      refused_.push_back({site.path, graph.program().nodes[site.nodes.front()].op, site.refusal});
  Program changed = with_layers(graph.program(), sites);
  remove_unread_views(changed);
  // Rewrites of what stands between the layers: before them, what becomes part of a layer.
  use_exact_operators(changed, exact_operators());
  graph.set_program(std::move(changed));
  const EvalGuard eval(graph);
  const torch::NoGradGuard no_grad;
  Tensors inputs;
  for (const torch::Tensor& each : examples) inputs.push_back(each.clone());
  graph.forward(inputs);
}

GraphPreparation::~GraphPreparation() {
  if (before_ != nullptr) graph_.set_program(std::move(*before_));
}

}  // namespace samebits
