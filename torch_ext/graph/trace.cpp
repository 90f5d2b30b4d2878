#include "torch_ext/graph/trace.h"

#include <torch/csrc/jit/frontend/tracer.h>

#include "torch_ext/modules/layer_watch.h"

namespace samebits {
namespace {

namespace jit = torch::jit;

/// The model's tensors as inputs of a trace: otherwise the tracer would bake them in as constants.
struct TraceInputs {
  jit::Stack values;
  std::vector<std::string> names, paths;  // a path may be no name to the tracer

  void add(const torch::OrderedDict<std::string, torch::Tensor>& tensors) {
    for (const auto& each : tensors) {
      values.push_back(each.value());
      names.push_back("parameter" + std::to_string(paths.size()));
      paths.push_back(each.key());
    }
  }
};

struct RecordedCall {
  const QATLayer* layer;
  std::size_t input, output;  // numbers of values
};

std::map<std::size_t, const jit::Value*> values_by_number(const jit::Graph& graph) {
  std::map<std::size_t, const jit::Value*> values;
  for (const jit::Value* input : graph.inputs()) values[input->unique()] = input;
  for (const jit::Node* node : graph.nodes())
    for (const jit::Value* output : node->outputs()) values[output->unique()] = output;
  return values;
}

/// Marks what lies between a call's output and its input.
void mark_within(const jit::Value* output, const LayerCall& call, std::set<const jit::Node*>& within) {
  std::vector<const jit::Value*> open = {output};
  while (!open.empty()) {
    const jit::Value* value = open.back();
    open.pop_back();
    if (value == call.input || value->node()->kind() == jit::prim::Param) continue;
    if (!within.insert(value->node()).second) continue;
    for (const jit::Value* input : value->node()->inputs()) open.push_back(input);
  }
}

}  // namespace

TracedModel trace(const ModelRef& model, const torch::Tensor& example) {
  const EvalGuard eval(model.module);
  const torch::NoGradGuard no_grad;
  TraceInputs inputs{{example.clone()}, {"x"}, {}};  // a forward may write to its input
  inputs.add(model.module.named_parameters());
  inputs.add(model.module.named_buffers());
  TracedModel traced;
  // By number: what nobody reads is removed when the trace ends.
  std::vector<RecordedCall> calls;
  const LayerWatch watch([&](const QATLayer& layer, const torch::Tensor& x, const torch::Tensor& y) {
    calls.push_back(
        {&layer, jit::tracer::getValueTrace(x)->unique(), jit::tracer::getValueTrace(y)->unique()});
  });
  const auto forward = [&](const jit::Stack& stack) -> jit::Stack {
    const torch::Tensor y = model.forward(stack[0].toTensor());
    traced.result = y.detach().clone();
    return {y};
  };
  try {
    traced.graph = jit::tracer::trace(
                       inputs.values, forward, [](const torch::autograd::Variable&) { return std::string(); },
                       /*strict=*/true, /*force_outplace=*/false, /*self=*/nullptr, inputs.names)
                       .first->graph;
  } catch (...) {
    jit::tracer::abandon();
    throw;
  }
  traced.input = traced.graph->inputs()[0];
  traced.output = traced.graph->outputs()[0];
  for (std::size_t i = 0; i < inputs.paths.size(); ++i) {
    traced.parameters[traced.graph->inputs()[i + 1]] = inputs.paths[i];
    traced.tensors[traced.graph->inputs()[i + 1]] = inputs.values[i + 1].toTensor();
  }
  const std::map<std::size_t, const jit::Value*> values = values_by_number(*traced.graph);
  for (const RecordedCall& call : calls)
    if (values.contains(call.input) && values.contains(call.output))
      traced.calls[values.at(call.output)] = {call.layer, values.at(call.input)};
  for (const auto& [output, call] : traced.calls) mark_within(output, call, traced.within_calls);
  return traced;
}

}  // namespace samebits
