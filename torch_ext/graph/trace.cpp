#include "torch_ext/graph/trace.h"

#include <torch/csrc/jit/frontend/tracer.h>

namespace samebits {
namespace {

namespace jit = torch::jit;

jit::Stack traced_call(const ModelRef& model, const jit::Stack& inputs) {
  return {model.forward(inputs[0].toTensor())};
}

}  // namespace

TracedModel trace(const ModelRef& model, const torch::Tensor& example) {
  const EvalGuard eval(model.module);
  const torch::NoGradGuard no_grad;
  // Parameters are inputs of the trace: otherwise the tracer would bake them in as constants.
  jit::Stack inputs = {example};
  std::vector<std::string> names = {"x"}, paths;
  const auto add_inputs = [&](const torch::OrderedDict<std::string, torch::Tensor>& tensors) {
    for (const auto& each : tensors) {
      inputs.push_back(each.value());
      names.push_back("parameter" + std::to_string(paths.size()));  // a path may be no name to the tracer
      paths.push_back(each.key());
    }
  };
  add_inputs(model.module.named_parameters());
  add_inputs(model.module.named_buffers());

  TracedModel traced;
  try {
    traced.graph = jit::tracer::trace(
                       inputs, [&](const jit::Stack& stack) { return traced_call(model, stack); },
                       [](const torch::autograd::Variable&) { return std::string(); }, /*strict=*/true,
                       /*force_outplace=*/false, /*self=*/nullptr, names)
                       .first->graph;
  } catch (...) {
    jit::tracer::abandon();
    throw;
  }
  traced.input = traced.graph->inputs()[0];
  traced.output = traced.graph->outputs()[0];
  for (std::size_t i = 0; i < paths.size(); ++i) traced.parameters[traced.graph->inputs()[i + 1]] = paths[i];
  return traced;
}

}  // namespace samebits
