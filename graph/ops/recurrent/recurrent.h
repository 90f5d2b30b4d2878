// lstm, gru and their float forms: one direction of one layer over a sequence of any length. Their input
// holds x · W_ihᵀ + b_ih of all steps, which a linear layer in front has made; what is here multiplies the
// state by W_hh at each step, and computes the gates in float32 (docs/numerics.md §17). A file each says that
// they are operators.
#pragma once

#include "graph/operator.h"
#include "graph/ops/functions/plain_function.h"
#include "graph/ops/layers/quantized_layer.h"

namespace samebits::graph {

/// The state on a grid times a weight of codes.
struct IntegerState {
  kernels::AffineGrid state_grid{};
  quant::QuantizedTensor weight;  // [gates * hidden, hidden]
  std::vector<float> bias;        // [gates * hidden], or empty

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("state_grid", self.state_grid);
    visit("weight", self.weight);
    visit("bias", self.bias);
  }
  friend bool operator==(const IntegerState&, const IntegerState&) = default;
};

/// The same in float32: a layer that was not quantized.
struct FloatState {
  FloatTensor weight;       // [gates * hidden, hidden]
  std::vector<float> bias;  // [gates * hidden], or empty

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    visit("weight", self.weight);
    visit("bias", self.bias);
  }
  friend bool operator==(const FloatState&, const FloatState&) = default;
};

/// Rows of the weight come gate by gate: input, forget, cell and output of an LSTM (kGateCount 4), reset,
/// update and new of a GRU (3), as torch::nn has them.
template <FixedName kText, int kGateCount, class State>
struct Recurrent : State {
  static constexpr const char* kName = kText.text;
  static constexpr std::int64_t kGates = kGateCount;
  static constexpr bool kHasCells = kGateCount == 4;
  bool is_batch_first = false;  // gates are [batch, steps, ...], else [steps, batch, ...]
  bool is_reverse = false;      // from the last step to the first
  bool gives_cells = false;     // of an LSTM: y holds a step's h and, behind it, its c

  std::int64_t hidden() const { return this->weight.shape[1]; }
  std::int64_t width() const { return gives_cells ? 2 * hidden() : hidden(); }

  template <class Self, class Visitor>
  static void visit(Self& self, Visitor& visit) {
    State::visit(self, visit);
    visit("is_batch_first", self.is_batch_first);
    visit("is_reverse", self.is_reverse);
    if constexpr (kHasCells) visit("gives_cells", self.gives_cells);
  }
  friend bool operator==(const Recurrent&, const Recurrent&) = default;
};

using Lstm = Recurrent<"lstm", 4, IntegerState>;
using Gru = Recurrent<"gru", 3, IntegerState>;
using FloatLstm = Recurrent<"float_lstm", 4, FloatState>;
using FloatGru = Recurrent<"float_gru", 3, FloatState>;

inline void check_state(const Node& node, const IntegerState& state) {
  check_layer(node, state.state_grid, state.weight, {state.bias, {}}, 2, "[gates * hidden, hidden]");
}
inline void check_state(const Node& node, const FloatState& state) {
  check_float_layer(node, state.weight, {state.bias, {}}, 2, "[gates * hidden, hidden]");
}

/// Gates [steps, batch, gates * hidden], and none or all of the states at the first step, [batch, hidden]
/// each (h, and c of an LSTM), give y [steps, batch, width]; with is_batch_first [batch, steps, ...].
template <class A>
TensorType infer_recurrent(const Node& node, const A& recurrent, Types inputs) {
  check_state(node, recurrent);
  const std::int64_t hidden = recurrent.hidden(), rows = recurrent.weight.shape[0];
  if (rows / A::kGates != hidden || rows % A::kGates != 0)
    fail_node(node, "weight: expected ", A::kGates, " rows for each of ", hidden, " columns, got ", rows);
  check_rank(node, inputs[0], 3, "[steps, batch, gates * hidden]");
  if (inputs[0].shape[2] != Dimension(rows))
    fail_node(node, "expected an input of ", rows, " gates for its weight, got ", to_text(inputs[0].shape));
  constexpr std::size_t kStates = A::kHasCells ? 2 : 1;
  if (inputs.size() != 1 && inputs.size() != 1 + kStates)
    fail_node(node, "expected 1 or ", 1 + kStates, " inputs, got ", inputs.size());
  const Shape state = {inputs[0].shape[recurrent.is_batch_first ? 0 : 1], hidden};
  for (const TensorType& each : inputs.subspan(1))
    if (each.dtype != Dtype::kFloat32 || each.shape != state)
      fail_node(node, "expected states of float32 ", to_text(state), ", got ", to_text(each.dtype), " ",
                to_text(each.shape));
  TensorType y = inputs[0];
  y.shape[2] = recurrent.width();
  return y;
}

/// The operator of these attributes.
template <class A>
Operator define_recurrent() {
  return define<A, infer_recurrent<A>>({.inputs = kAnyInputs, .is_engines_own = true});
}

}  // namespace samebits::graph
