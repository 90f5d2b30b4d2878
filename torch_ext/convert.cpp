#include "torch_ext/convert.h"

#include "export/onnx/export_onnx.h"
#include "graph/package.h"
#include "torch_ext/graph/replay.h"
#include "torch_ext/graph/trace_reader.h"

namespace samebits {
namespace {

void check_state(const QATLayer* layer, const std::string& path) {
  if (layer == nullptr || layer->is_skipped()) return;
  TORCH_CHECK(layer->state() == QuantizerState::kQuantizing || layer->state() == QuantizerState::kFrozen,
              "[export] ", path, ": expected state quantizing or frozen, got ", state_name(layer->state()),
              "; train past qat.observe_steps or call freeze()");
}

void check_states(const ModelRef& model) {
  check_state(dynamic_cast<const QATLayer*>(&model.module), model.module.name());
  for (const auto& module : model.module.named_modules("", /*include_self=*/false))
    check_state(as_qat_layer(module.value()).get(), module.key());
}

}  // namespace

QuantizedModel convert(const ModelRef& model, const Tensors& examples, const std::string& name) {
  TORCH_CHECK(examples.empty() || examples[0].dim() >= 2,
              "[export] example: expected a batch, [n, ...], got shape ", examples[0].sizes());
  check_states(model);
  const EvalGuard eval(model.module);
  const torch::NoGradGuard no_grad;
  const TracedModel traced = trace(model, examples);
  graph::Graph graph = TraceWalk(traced, model).read(name);
  graph::check(graph);
  check_replay(model, graph, examples, traced.results);
  return QuantizedModel(std::move(graph));
}

void QuantizedModel::save(const std::filesystem::path& folder) const {
  graph::save_package(graph_, folder);
}

void QuantizedModel::export_onnx(const std::filesystem::path& path, OnnxStyle style) const {
  samebits::export_onnx(graph_, path, style);
}

}  // namespace samebits
