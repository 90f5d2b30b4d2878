// How an operator is found in a trace: torch_ext/graph/ops/<theme>/<name>.cpp says it for each of
// graph/operators.inc.
#pragma once

#include <torch/csrc/jit/ir/constants.h>

#include <any>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "graph/operator.h"
#include "torch_ext/graph/trace.h"
#include "torch_ext/modules/qat_layer.h"

namespace samebits {

/// A graph that grows along a trace. Values are named x (the input), v1, v2, …, nodes after their layer, or
/// after their operator and place; names of the model's layers are never given to others.
class TraceWalk {
 public:
  using Node = torch::jit::Node;
  using Value = torch::jit::Value;

  TraceWalk(const TracedModel& traced, const ModelRef& model);

  /// Adds every node between the input and the result. Throws c10::Error that names what cannot be exported.
  graph::Graph read(const std::string& name, const torch::Tensor& example);

  // For readers.

  /// Adds a node that makes `output` of the values `inputs`.
  template <class A>
  void add(A attributes, const std::vector<const Value*>& inputs, const Value* output) {
    add(graph::make_node(made_name(A::kName), std::move(attributes), names_of(inputs), {}), output);
  }
  /// The output is the input as it is.
  void pass_through(const Node* node);

  /// What messages call the node that would be added next: "flatten_3".
  std::string made_name(const std::string& op) const;
  /// What messages call the node before: its name, or "the input".
  std::string previous() const;

  /// The constant that stands at this input; `what` it is, for the message.
  template <class T>
  T constant(const Node* node, std::size_t input, const char* what) const {
    const auto value = torch::jit::toIValue(node->input(input));
    TORCH_CHECK(value.has_value(), "[export] after ", previous(), ": expected a constant ", what, " of ",
                node->kind().toQualString(), ", got a computed one; write it as a number");
    return value->to<T>();
  }
  /// A list of integers: the tracer builds it from constants in a node of its own.
  std::vector<std::int64_t> integers(const Node* node, std::size_t input, const char* what) const;
  graph::Pair pair(const Node* node, std::size_t input, const char* what) const;
  /// Strides, which are the kernel's sizes when the list is empty.
  graph::Pair strides(const Node* node, std::size_t input, const graph::Pair& kernel) const;
  std::vector<std::int64_t> sizes_of(const Value* value) const;
  /// A parameter, a buffer or a constant; `what` it is, for the message. Undefined where the input is None.
  torch::Tensor tensor(const Node* node, std::size_t input, const char* what) const;
  /// Whether the value is computed from the model's input.
  bool is_from_input(const Value* value) const { return from_input_.count(value) != 0; }

 private:
  void mark_from_input();
  void mark_needed();
  std::vector<const Value*> activations_of(const Node* node) const;
  void add(graph::Node node, const Value* output);
  void add_call(const Node* node, const LayerCall& call);
  std::string input_of(const LayerCall& call, const std::string& layer);
  std::vector<std::string> names_of(const std::vector<const Value*>& values) const;
  const std::string& name_of(const Value* value) const;
  std::string unique(std::string name) const;
  std::string layer_name(const QATLayer& layer);

  const TracedModel& traced_;
  std::map<const QATLayer*, std::string> paths_;
  std::set<std::string> taken_;  // names of nodes: the layers', and those given so far
  std::set<const Value*> from_input_;
  std::set<const Node*> needed_;
  std::map<const Value*, std::string> values_;
  std::map<std::string, int> uses_;
  std::vector<graph::Node> nodes_;
};

struct TraceReader {
  /// Kinds of nodes that this operator reads: "aten::relu". A kind belongs to one operator.
  std::vector<const char*> kinds;
  void (*read)(TraceWalk& walk, const torch::jit::Node* node) = nullptr;
  /// The attributes, when this operator computes what the layer computes in its state; else empty. Null:
  /// never.
  std::any (*from_layer)(const QATLayer& layer) = nullptr;
  /// ATen kinds whose bits are their library's, and the operator that has ours, with the same leading
  /// arguments in its schema: {"aten::gelu", "samebits::gelu"}. `kinds` lists the latter; a captured model is
  /// rewritten to it.
  std::vector<std::pair<const char*, const char*>> exact = {};
};

const TraceReader& trace_reader_of(const graph::Operator& op);

/// What eval mode makes the identity, or always is: dropout, contiguous, detach. False when the node is none.
bool read_identity(TraceWalk& walk, const torch::jit::Node* node);

/// Values of a tensor, row-major.
template <class T>
std::vector<T> values_of(const torch::Tensor& tensor) {
  const torch::Tensor flat = tensor.detach().cpu().contiguous();
  return {flat.const_data_ptr<T>(), flat.const_data_ptr<T>() + flat.numel()};
}
/// A layer's bias and the factors of its channels, with its batch norm folded in; empty: none.
struct LayerChannels {
  std::vector<float> bias, channel_scale;
};
LayerChannels channels_of(const QATLayer& layer);
/// Whether the layer is of this kind ("linear") and computes on integers.
bool is_integer(const QATLayer& layer, const char* kind);
/// Whether it is of this kind and stays float.
bool is_float(const QATLayer& layer, const char* kind);
graph::FloatTensor float_weight_of(const QATLayer& layer);

}  // namespace samebits
