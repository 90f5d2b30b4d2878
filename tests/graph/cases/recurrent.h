// Cases of graph/ops/recurrent/.
#pragma once

#include "graph/ops/recurrent/recurrent.h"
#include "tests/function_oracle.h"
#include "tests/graph/op_case.h"

namespace samebits::oracle {

/// h · weightᵀ + bias for each row.
inline std::vector<float> state_products(const graph::IntegerState& state, const std::vector<float>& h) {
  const auto rows = std::ssize(h) / state.weight.shape[1];
  return oracle::linear(codes_of({{}, h}, state.state_grid), rows, to_grid(state.state_grid),
                        weights_of(state.weight), state.bias, {});
}
inline std::vector<float> state_products(const graph::FloatState& state, const std::vector<float>& h) {
  return float_linear(h, state.weight.values, state.weight.shape[0], state.weight.shape[1], state.bias, {});
}

/// The next h of one unit, of what input and state gave to its gates; c moves along.
inline float next_lstm(const std::vector<float>& x, const std::vector<float>& p, float, float& c) {
  const float i = sigmoid_of(add(x[0], p[0])), f = sigmoid_of(add(x[1], p[1])), g = tanh_of(add(x[2], p[2])),
              o = sigmoid_of(add(x[3], p[3]));
  c = add(multiply(f, c), multiply(i, g));
  return multiply(o, tanh_of(c));
}
inline float next_gru(const std::vector<float>& x, const std::vector<float>& p, float h, float&) {
  const float r = sigmoid_of(add(x[0], p[0])), z = sigmoid_of(add(x[1], p[1]));
  const float n = tanh_of(add(x[2], multiply(r, p[2])));
  return add(multiply(add(h, -n), z), n);
}

template <class A>
FloatTensor run_recurrent(const Node& node, const Tensors& inputs) {
  const auto& recurrent = node.as<A>();
  const FloatTensor& x = inputs[0];
  const std::int64_t hidden = recurrent.weight.shape[1], gates = x.shape[2] / hidden;
  const std::int64_t steps = x.shape[recurrent.is_batch_first ? 1 : 0],
                     rows = x.shape[recurrent.is_batch_first ? 0 : 1];
  std::vector<float> h(static_cast<std::size_t>(rows * hidden), 0.0f), c = h;
  if (inputs.size() > 1) h = inputs[1].values;
  if (inputs.size() > 2) c = inputs[2].values;
  const std::int64_t width = recurrent.gives_cells ? 2 * hidden : hidden;
  FloatTensor y{{x.shape[0], x.shape[1], width}, {}};
  y.values.resize(static_cast<std::size_t>(steps * rows * width));
  for (std::int64_t t = 0; t < steps; ++t) {
    const std::int64_t step = recurrent.is_reverse ? steps - t - 1 : t;
    const std::vector<float> products = state_products(recurrent, h);
    for (std::int64_t row = 0; row < rows; ++row)
      for (std::int64_t unit = 0; unit < hidden; ++unit) {
        const std::int64_t place = recurrent.is_batch_first ? row * steps + step : step * rows + row;
        std::vector<float> of_x, of_h;
        for (std::int64_t gate = 0; gate < gates; ++gate) {
          of_x.push_back(x.values[(place * gates + gate) * hidden + unit]);
          of_h.push_back(products[(row * gates + gate) * hidden + unit]);
        }
        float &state = h[row * hidden + unit], &cell = c[row * hidden + unit];
        state = gates == 4 ? next_lstm(of_x, of_h, state, cell) : next_gru(of_x, of_h, state, cell);
        y.values[place * width + unit] = state;
        if (recurrent.gives_cells) y.values[place * width + hidden + unit] = cell;
      }
  }
  return y;
}

}  // namespace samebits::oracle

namespace samebits::graph {

template <class A>
A random_recurrent(std::size_t kind, std::int64_t hidden, std::mt19937& random) {
  A recurrent;
  const Sizes shape = {A::kGates * hidden, hidden};
  if constexpr (std::is_base_of_v<IntegerState, A>) {
    recurrent.state_grid = {.scale = 1.0f / 127, .zero_point = -3, .qmin = -128, .qmax = 127};
    recurrent.weight = random_weight(kWeightKinds[kind], shape, random);
    for (float& scale : recurrent.weight.scale) scale *= 0.2f;
  } else {
    recurrent.weight = random_tensor(shape, random);
    for (float& value : recurrent.weight.values) value *= 0.3f;
  }
  recurrent.bias = random_floats(shape[0], random);
  return recurrent;
}

/// Sequences of a length that the call decides, and of a fixed one.
template <class A>
std::vector<OpCase> recurrent_cases() {
  std::mt19937 random(11);
  std::vector<OpCase> cases;
  const auto gates = [](std::int64_t hidden, bool is_batch_first) {
    const Dimension &first = is_batch_first ? kBatch : kSequence,
                    &second = is_batch_first ? kSequence : kBatch;
    return InputKind{.shape = {first, second, A::kGates * hidden}};
  };
  const auto add = [&](const std::string& name, A recurrent, std::size_t states = 0) {
    const InputKind state{.shape = {kBatch, recurrent.hidden()}};
    std::vector<InputKind> kinds = {gates(recurrent.hidden(), recurrent.is_batch_first)};
    kinds.insert(kinds.end(), states, state);
    cases.push_back({name, recurrent, std::vector<Sizes>(1 + states), kinds});
  };
  constexpr bool kIsInteger = std::is_base_of_v<IntegerState, A>;
  for (std::size_t kind = 0; kind < (kIsInteger ? std::size(kWeightKinds) : 1); ++kind)
    add(kIsInteger ? kWeightKinds[kind].name : "float", random_recurrent<A>(kind, 20, random));
  A recurrent = random_recurrent<A>(1, 7, random);
  for (const bool is_reverse : {false, true})
    for (const bool is_batch_first : {false, true}) {
      recurrent.is_reverse = is_reverse;
      recurrent.is_batch_first = is_batch_first;
      add(std::string(is_reverse ? "from the end" : "from the beginning") +
              (is_batch_first ? ", batch first" : ""),
          recurrent);
      if (A::kHasCells) recurrent.gives_cells = true;
      add("with states", recurrent, A::kHasCells ? 2 : 1);
      recurrent.gives_cells = false;
    }
  recurrent.bias.clear();
  add("no bias", recurrent);
  add("one unit", random_recurrent<A>(1, 1, random));
  add("many units", random_recurrent<A>(1, 130, random));
  cases.push_back({"as many steps as the model says",
                   random_recurrent<A>(5, 12, random),
                   {{}},
                   {{.shape = {5, kBatch, A::kGates * 12}}}});
  return cases;
}

inline std::vector<OpRow> recurrent_rows() {
  using oracle::run_recurrent;
  return {{"lstm", run_recurrent<Lstm>, false, recurrent_cases<Lstm>()},
          {"gru", run_recurrent<Gru>, false, recurrent_cases<Gru>()},
          {"float_lstm", run_recurrent<FloatLstm>, false, recurrent_cases<FloatLstm>()},
          {"float_gru", run_recurrent<FloatGru>, false, recurrent_cases<FloatGru>()}};
}

}  // namespace samebits::graph
