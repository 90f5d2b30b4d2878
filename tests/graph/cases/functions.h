// The rows of theme functions: the oracles are those of tests/function_oracle.h.
#pragma once

#include "graph/ops/functions/elu.h"
#include "graph/ops/functions/gelu.h"
#include "graph/ops/functions/leaky_relu.h"
#include "graph/ops/functions/plain_function.h"
#include "tests/function_oracle.h"
#include "tests/graph/op_case.h"

namespace samebits::oracle {

template <class Function>
FloatTensor for_elements(const FloatTensor& x, Function function) {
  FloatTensor y = x;
  for (float& value : y.values) value = function(value);
  return y;
}

template <float (*kFunction)(float)>
FloatTensor run_function(const Node&, const Tensors& inputs) {
  return for_elements(inputs[0], kFunction);
}

inline FloatTensor run_gelu(const Node& node, const Tensors& inputs) {
  return for_elements(inputs[0], node.as<graph::Gelu>().is_tanh ? gelu_tanh_of : gelu_of);
}
inline FloatTensor run_elu(const Node& node, const Tensors& inputs) {
  const auto& elu = node.as<graph::Elu>();
  return for_elements(inputs[0], [&](float x) { return elu_of(x, elu.alpha, elu.scale, elu.input_scale); });
}
inline FloatTensor run_leaky_relu(const Node& node, const Tensors& inputs) {
  const float slope = node.as<graph::LeakyRelu>().negative_slope;
  return for_elements(inputs[0], [&](float x) { return leaky_relu_of(x, slope); });
}

}  // namespace samebits::oracle

namespace samebits::graph {

template <class A>
OpRow plain_function_row(oracle::FloatTensor (*run)(const Node&, const oracle::Tensors&),
                         bool is_exact_in_onnx) {
  return {A::kName, run, is_exact_in_onnx, {{"vectors", A{}, {{37}}}, {"images", A{}, {{2, 3, 5}}}}};
}

inline std::vector<OpRow> function_rows() {
  using oracle::run_function;
  return {
      plain_function_row<Exp>(run_function<oracle::exp_of>, false),
      plain_function_row<Log>(run_function<oracle::log_of>, false),
      plain_function_row<Tanh>(run_function<oracle::tanh_of>, false),
      plain_function_row<Sigmoid>(run_function<oracle::sigmoid_of>, false),
      plain_function_row<Erf>(run_function<oracle::erf_of>, false),
      plain_function_row<Silu>(run_function<oracle::silu_of>, false),
      {"gelu", oracle::run_gelu, false, {{"none", Gelu{}, {{37}}}, {"tanh", Gelu{true}, {{2, 3, 5}}}}},
      {"elu",
       oracle::run_elu,
       false,
       {{"elu", Elu{}, {{37}}},
        {"alpha", Elu{0.5f, 1, 1}, {{37}}},
        {"selu", Elu{1.6732632f, 1.0507010f, 1}, {{2, 3, 5}}},
        {"celu", Elu{2, 1, 0.5f}, {{37}}}}},
      {"leaky_relu",
       oracle::run_leaky_relu,
       true,
       {{"0.01", LeakyRelu{}, {{37}}}, {"a negative slope", LeakyRelu{-0.5f}, {{2, 3, 5}}}}},
      plain_function_row<Hardsigmoid>(run_function<oracle::hardsigmoid_of>, true),
      plain_function_row<Hardswish>(run_function<oracle::hardswish_of>, true),
      plain_function_row<Sqrt>(run_function<oracle::sqrt_one_nan>, true),
      plain_function_row<Rsqrt>(run_function<oracle::rsqrt_of>, true),
  };
}

}  // namespace samebits::graph
