#include "torch_ext/graph/traced_layer.h"

#include <torch/library.h>

#include <utility>

#include "torch_ext/modules/qat_layer.h"

// For traces: nobody calls it. Passes of the tracer want a schema of every operator.
TORCH_LIBRARY(samebits_graph, library) {
  library.def("layer(Tensor x, Tensor? h, Tensor? c) -> Tensor");
}

namespace samebits {
namespace {

namespace jit = torch::jit;

c10::Symbol kind() {
  return c10::Symbol::fromQualString("samebits_graph::layer");
}
/// The address of the layer, which outlives the trace.
c10::Symbol address() {
  return c10::Symbol::attr("layer");
}

}  // namespace

TracedLayer::TracedLayer() : state_(jit::tracer::getTracingState()) {
  if (state_ != nullptr) jit::tracer::setTracingState(nullptr);
}

TracedLayer::~TracedLayer() {
  if (state_ != nullptr) jit::tracer::setTracingState(state_);
}

void TracedLayer::record(const QATLayer& layer, const Tensors& inputs, const torch::Tensor& output) {
  if (state_ == nullptr) return;
  jit::tracer::setTracingState(std::exchange(state_, nullptr));
  jit::Graph& graph = *jit::tracer::getTracingState()->graph;
  std::vector<jit::Value*> values;
  for (const torch::Tensor& each : inputs)
    values.push_back(each.defined() ? jit::tracer::getValueTrace(each)
                                    : graph.insertNode(graph.createNone())->output());
  jit::Node* const node = graph.insertNode(graph.create(kind(), values, 1));
  node->i_(address(), static_cast<std::int64_t>(reinterpret_cast<std::intptr_t>(&layer)));
  node->output()->inferTypeFrom(output);
  jit::tracer::setValueTrace(output, node->output());
}

const QATLayer* traced_layer(const jit::Node* node) {
  if (node->kind() != kind()) return nullptr;
  return reinterpret_cast<const QATLayer*>(static_cast<std::intptr_t>(node->i(address())));
}

std::vector<const jit::Value*> states_of_call(const jit::Node* node) {
  std::vector<const jit::Value*> states;
  if (traced_layer(node) == nullptr) return states;
  for (const jit::Value* state : node->inputs().slice(1))
    if (!state->mustBeNone()) states.push_back(state);
  return states;
}

}  // namespace samebits
