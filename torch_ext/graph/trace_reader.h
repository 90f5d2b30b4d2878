// How an operator is found in a trace: torch_ext/graph/ops/<theme>/<name>.cpp says it for each of
// graph/operators.inc.
#pragma once

#include <torch/csrc/jit/ir/constants.h>

#include <any>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "graph/operator.h"
#include "torch_ext/graph/trace.h"
#include "torch_ext/graph/unshippable.h"
#include "torch_ext/modules/qat_layer.h"

namespace samebits {

/// A graph that grows along a trace. Inputs are named x, x2, …, values v1, v2, …, nodes after their layer, or
/// after their operator and place; names of the model's layers are never given to others.
class TraceWalk {
 public:
  using Node = torch::jit::Node;
  using Value = torch::jit::Value;

  TraceWalk(const TracedModel& traced, const ModelRef& model);

  /// Adds every node between the inputs and the results. Throws c10::Error that names what cannot be
  /// exported.
  graph::Graph read(const std::string& name);

  /// Every operator between the inputs and the results that read() would refuse, layers aside.
  std::vector<Unshippable> problems();

  // For readers.

  /// Adds a node that makes `output` of the values `inputs`.
  template <class A>
  void add(A attributes, const std::vector<const Value*>& inputs, const Value* output) {
    add(std::move(attributes), inputs, std::vector{output});
  }
  /// The same of a node with several outputs. Null: an output that nobody reads.
  template <class A>
  void add(A attributes, const std::vector<const Value*>& inputs, const std::vector<const Value*>& outputs) {
    add(graph::make_node(made_name(A::kName), std::move(attributes), names_of(inputs), {}), outputs);
  }
  /// Adds a node of values by their names, for what stands between those of the trace. Returns its output's.
  template <class A>
  std::string make(A attributes, std::vector<std::string> inputs) {
    add(graph::make_node(made_name(A::kName), std::move(attributes), std::move(inputs), {}),
        std::vector<const Value*>(1, nullptr));
    return nodes_.back().outputs.front();
  }
  /// The name of a value that was read, and one for a value that a reader made.
  const std::string& name_of(const Value* value) const;
  void bind(const Value* output, std::string name) { values_[output] = std::move(name); }
  /// The output is the input as it is.
  void pass_through(const Node* node) { pass_through(node->input(0), node->output(0)); }
  void pass_through(const Value* input, const Value* output);
  /// The tensors of an input that is a list.
  std::vector<const Value*> values(const Node* node, std::size_t input) const;
  /// What the node gives: its outputs, or those of the list that it gives.
  std::vector<const Value*> results(const Node* node) const;

  /// What messages call the node that would be added next: "flatten_3".
  std::string made_name(const std::string& op) const;
  /// What messages call the node before: its name, or "the input".
  std::string previous() const;

  /// The constant that stands at this input, the same for every batch; `what` it is, for the message.
  template <class T>
  T constant(const Node* node, std::size_t input, const char* what) const {
    const auto value = torch::jit::toIValue(node->input(input));
    TORCH_CHECK(value.has_value(), "[export] after ", previous(), ": expected a constant ", what, " of ",
                node->kind().toQualString(), ", got a computed one; write it as a number");
    check_constant(node, input, what);
    return value->to<T>();
  }
  /// A list of integers: the tracer builds it from constants in a node of its own.
  std::vector<std::int64_t> integers(const Node* node, std::size_t input, const char* what) const;
  /// An integer, or a list of them, that may follow the batch and the sequence.
  graph::Dimension dimension(const Node* node, std::size_t input, const char* what) const;
  std::vector<graph::Dimension> dimensions(const Node* node, std::size_t input, const char* what) const;
  graph::Pair pair(const Node* node, std::size_t input, const char* what) const;
  /// Strides, which are the kernel's sizes when the list is empty.
  graph::Pair strides(const Node* node, std::size_t input, const graph::Pair& kernel) const;
  /// The shape of a tensor, in symbols.
  graph::Shape shape_of(const Value* value) const;
  /// Its sizes in the trace of the examples.
  std::vector<std::int64_t> sizes_of(const Value* value) const;
  torch::ScalarType dtype_of(const Value* value) const;
  /// Whether the value is computed from the model's inputs.
  bool is_from_input(const Value* value) const { return from_input_.count(value) != 0; }
  /// A tensor that is not: a parameter, a buffer, a constant or what is made of these alone, the same for
  /// every batch. `what` it is, for the message. Undefined where the input is None.
  torch::Tensor tensor(const Node* node, std::size_t input, const char* what) const;

 private:
  void mark_from_input();
  void mark_needed();
  std::vector<const Value*> activations_of(const Node* node) const;
  void add(graph::Node node, const std::vector<const Value*>& outputs);
  void read_node(const Node* node);
  std::vector<const Node*> steps() const;
  void name_results(const Node* node);
  std::string new_value();
  void check_constant(const Node* node, std::size_t input, const char* what) const;
  bool follows_sizes(const Value* value) const;
  c10::IValue evaluate(const Value* value) const;
  graph::Dimension dimension_of(const std::optional<SymbolicSize>& size, const Node* node,
                                const char* what) const;
  void add_call(const Node* node, const LayerCall& call);
  std::string input_of(const LayerCall& call, const std::string& layer);
  std::vector<std::string> names_of(const std::vector<const Value*>& values) const;
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
  std::size_t made_values_ = 0;
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
/// All pairs of TraceReader::exact.
const std::map<std::string, std::string>& exact_operators();

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
