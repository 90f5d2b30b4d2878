#include "torch_ext/graph/trace.h"

#include <torch/csrc/jit/frontend/tracer.h>

#include "torch_ext/graph/traced_layer.h"
#include "torch_ext/modules/layer_watch.h"
#include "torch_ext/modules/qat_recurrent.h"

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
  if (traced_layer(output->node()) != nullptr) return void(within.insert(output->node()));
  std::vector<const jit::Value*> open = {output};
  while (!open.empty()) {
    const jit::Value* value = open.back();
    open.pop_back();
    if (value == call.input || value->node()->kind() == jit::prim::Param) continue;
    if (!within.insert(value->node()).second) continue;
    for (const jit::Value* input : value->node()->inputs()) open.push_back(input);
  }
}

/// Where the batch and the sequence of each input are; -1: nowhere.
DynamicAxes resolved(const DynamicAxes& axes, const Tensors& examples) {
  TORCH_CHECK(!examples.empty() && examples[0].dim() >= 1,
              "[trace] examples: expected tensors, the first of at least one dimension, got none");
  DynamicAxes all = axes;
  if (all.batch.empty())
    for (const torch::Tensor& each : examples)
      all.batch.push_back(each.dim() >= 1 && each.size(0) == examples[0].size(0) ? 0 : -1);
  if (all.sequence.empty()) all.sequence.assign(examples.size(), -1);
  for (const auto* list : {&all.batch, &all.sequence}) {
    TORCH_CHECK(list->size() == examples.size(), "[trace] axes: expected one for each of the ",
                examples.size(), " inputs, got ", list->size(), "; write -1 where there is none");
    for (std::size_t i = 0; i < examples.size(); ++i)
      TORCH_CHECK(list->at(i) >= -1 && list->at(i) < examples[i].dim(),
                  "[trace] axes: expected -1 or a dimension of ", examples[i].sizes(), ", got ", list->at(i));
  }
  return all;
}

/// The size of the first input that has such a dimension; 0: none has.
std::int64_t size_along(const std::vector<std::int64_t>& axes, const Tensors& examples, const char* name) {
  std::int64_t size = 0;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    if (axes[i] < 0) continue;
    const std::int64_t found = examples[i].size(axes[i]);
    TORCH_CHECK(found > 0, "[trace] examples: expected a ", name, " of at least 1, got 0");
    TORCH_CHECK(size == 0 || size == found, "[trace] examples: expected one size of the ", name,
                " in all inputs, got ", size, " and ", found);
    size = found;
  }
  return size;
}

/// `size` slices along `axis`, from the last to the first and over again.
torch::Tensor resized(const torch::Tensor& x, std::int64_t axis, std::int64_t size) {
  if (axis < 0) return x;
  const torch::Tensor index = torch::arange(size - 1, -1, -1, torch::device(x.device()).dtype(torch::kLong));
  return x.index_select(axis, index.remainder(x.size(axis)));
}

/// Runs the model under the tracer.
std::shared_ptr<jit::Graph> record(const ModelRef& model, const TraceInputs& inputs, std::size_t examples,
                                   Tensors* results) {
  const auto forward = [&](const jit::Stack& stack) -> jit::Stack {
    Tensors xs;
    for (std::size_t i = 0; i < examples; ++i) xs.push_back(stack[i].toTensor());
    const Tensors ys = model.call(xs);
    if (results != nullptr)
      for (const torch::Tensor& y : ys) results->push_back(y.detach().clone());
    return {ys.begin(), ys.end()};
  };
  try {
    return jit::tracer::trace(
               inputs.values, forward, [](const torch::autograd::Variable&) { return std::string(); },
               /*strict=*/true, /*force_outplace=*/false, /*self=*/nullptr, inputs.names)
        .first->graph;
  } catch (...) {
    jit::tracer::abandon();
    throw;
  }
}

TraceInputs inputs_of(const ModelRef& model, const Tensors& examples) {
  TraceInputs inputs;
  for (const torch::Tensor& each : examples) {
    inputs.names.push_back("input" + std::to_string(inputs.names.size()));
    inputs.values.push_back(each.clone());  // a forward may write to its input
  }
  inputs.add(model.module.named_parameters());
  inputs.add(model.module.named_buffers());
  return inputs;
}

/// The calls of QAT layers while this lives. By number: what nobody reads is removed when the trace ends.
struct CallRecorder {
  std::vector<RecordedCall> calls;
  LayerWatch watch{[this](const QATLayer& layer, const torch::Tensor& x, const torch::Tensor& y) {
    if (dynamic_cast<const QATRecurrentImpl*>(&layer) != nullptr) return;  // a node of its own says it
    calls.push_back(
        {&layer, jit::tracer::getValueTrace(x)->unique(), jit::tracer::getValueTrace(y)->unique()});
  }};
};

/// The layers that are one node each.
void add_traced_layers(TracedModel& traced) {
  for (const jit::Node* node : traced.graph->nodes()) {
    if (const QATLayer* const layer = traced_layer(node))
      traced.calls[node->output()] = {layer, node->input(0)};
  }
}

/// The example, another batch and, when sequences are free, another sequence, and both.
std::vector<TracePoint> trace_points(const ModelRef& model, const Tensors& examples, TracedModel& traced) {
  const DynamicAxes& axes = traced.axes = resolved(model.axes, examples);
  const std::int64_t batch = size_along(axes.batch, examples, "batch"),
                     sequence = size_along(axes.sequence, examples, "sequence");
  TORCH_CHECK(batch > 0, "[trace] axes: expected a batch dimension in one of the inputs, got none");
  // Shorter sequences rather than longer ones: a model may have a longest.
  const std::int64_t more = 2, longer = sequence > 3 ? -2 : 2;
  std::vector<TracePoint> points = {{{batch, sequence}, traced.graph}};
  const auto add = [&](std::int64_t extra_batch, std::int64_t extra_sequence) {
    const TraceInputs inputs = inputs_of(model, other_examples(model, examples, extra_batch, extra_sequence));
    points.push_back(
        {{batch + extra_batch, sequence + extra_sequence}, record(model, inputs, examples.size(), nullptr)});
  };
  add(more, 0);
  if (sequence == 0) return points;
  add(0, longer);
  add(more, longer);
  return points;
}

}  // namespace

Tensors other_examples(const ModelRef& model, const Tensors& examples, std::int64_t extra_batch,
                       std::int64_t extra_sequence) {
  const DynamicAxes axes = resolved(model.axes, examples);
  Tensors others;
  for (std::size_t i = 0; i < examples.size(); ++i) {
    const std::int64_t batch = axes.batch[i], sequence = axes.sequence[i];
    torch::Tensor x = examples[i].detach();
    if (batch >= 0) x = resized(x, batch, x.size(batch) + extra_batch);
    if (sequence >= 0) x = resized(x, sequence, x.size(sequence) + extra_sequence);
    others.push_back(batch >= 0 && x.is_floating_point() ? x.neg() : x);
  }
  return others;
}

TracedModel trace(const ModelRef& model, const Tensors& examples) {
  const TraceInputs inputs = inputs_of(model, examples);
  TracedModel traced;
  std::vector<RecordedCall> calls;
  {
    CallRecorder recorder;
    traced.graph = record(model, inputs, examples.size(), &traced.results);
    calls = recorder.calls;
  }
  const auto all = traced.graph->inputs();
  traced.inputs.assign(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(examples.size()));
  traced.outputs.assign(traced.graph->outputs().begin(), traced.graph->outputs().end());
  for (std::size_t i = 0; i < inputs.paths.size(); ++i) {
    traced.parameters[all[examples.size() + i]] = inputs.paths[i];
    traced.tensors[all[examples.size() + i]] = inputs.values[examples.size() + i].toTensor();
  }
  const std::map<std::size_t, const jit::Value*> values = values_by_number(*traced.graph);
  for (const RecordedCall& call : calls)
    if (values.contains(call.input) && values.contains(call.output))
      traced.calls[values.at(call.output)] = {call.layer, values.at(call.input)};
  add_traced_layers(traced);
  for (const auto& [output, call] : traced.calls) mark_within(output, call, traced.within_calls);
  traced.alignment = Alignment(trace_points(model, examples, traced), traced.parameters);
  return traced;
}

}  // namespace samebits
