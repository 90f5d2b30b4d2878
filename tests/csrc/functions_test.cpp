// csrc/float/functions.h: the oracle's bits in every memory layout, ATen's gradients of first and second
// order, closeness to ATen's values, and errors.
#include "csrc/float/functions.h"

#include "tests/csrc/op_test.h"
#include "tests/function_oracle.h"

namespace samebits::ops {
namespace {

class Functions : public OpTest {};

/// An operator, ATen's, and the oracle.
struct Pair {
  const char* name;
  std::function<Tensor(const Tensor&)> ours, theirs;
  std::function<float(float)> oracle;
  bool is_positive = false;  // wants inputs > 0
  bool has_second = true;    // ATen's can be differentiated twice
};

std::vector<Pair> pairs() {
  return {
      {"exp", ops::exp, [](const Tensor& x) { return at::exp(x); }, oracle::exp_of},
      {"log", ops::log, [](const Tensor& x) { return at::log(x); }, oracle::log_of, true},
      {"tanh", ops::tanh, [](const Tensor& x) { return at::tanh(x); }, oracle::tanh_of},
      {"sigmoid", ops::sigmoid, [](const Tensor& x) { return at::sigmoid(x); }, oracle::sigmoid_of},
      {"erf", ops::erf, [](const Tensor& x) { return at::erf(x); }, oracle::erf_of},
      {"silu", ops::silu, [](const Tensor& x) { return at::silu(x); }, oracle::silu_of},
      {"gelu", [](const Tensor& x) { return ops::gelu(x, "none"); },
       [](const Tensor& x) { return at::gelu(x); }, oracle::gelu_of},
      {"gelu, tanh", [](const Tensor& x) { return ops::gelu(x, "tanh"); },
       [](const Tensor& x) { return at::gelu(x, "tanh"); }, oracle::gelu_tanh_of},
      {"elu", [](const Tensor& x) { return ops::elu(x, 0.5, 1.25, 0.75); },
       [](const Tensor& x) { return at::elu(x, 0.5, 1.25, 0.75); },
       [](float x) { return oracle::elu_of(x, 0.5f, 1.25f, 0.75f); }},
      {"leaky_relu", [](const Tensor& x) { return ops::leaky_relu(x, 0.1); },
       [](const Tensor& x) { return at::leaky_relu(x, 0.1); },
       [](float x) { return oracle::leaky_relu_of(x, 0.1f); }},
      {"hardsigmoid", ops::hardsigmoid, [](const Tensor& x) { return at::hardsigmoid(x); },
       oracle::hardsigmoid_of, false, false},
      {"hardswish", ops::hardswish, [](const Tensor& x) { return at::hardswish(x); }, oracle::hardswish_of},
      {"sqrt", ops::sqrt, [](const Tensor& x) { return at::sqrt(x); }, oracle::sqrt_one_nan, true},
      {"rsqrt", ops::rsqrt, [](const Tensor& x) { return at::rsqrt(x); }, oracle::rsqrt_of, true},
  };
}

Tensor input_for(const Pair& pair, at::IntArrayRef shape) {
  return pair.is_positive ? at::rand(shape) * 3 + 0.1 : at::randn(shape) * 3;
}

TEST_F(Functions, HaveTheOraclesBitsAndTheLayoutOfTheirInput) {
  for (const Pair& pair : pairs())
    for (const Layout& layout : kLayouts)
      for (const auto& [why, x] : memory_layouts(input_for(pair, layout.shape))) {
        SCOPED_TRACE(c10::str(pair.name, ", ", x.sizes(), ", ", why));
        const Tensor y = pair.ours(x);
        std::vector<float> expected;
        for (const float value : values_of<float>(x)) expected.push_back(pair.oracle(value));
        EXPECT_EQ(first_difference(y, tensor_of(expected, x.sizes())), "");
        if (x.is_non_overlapping_and_dense()) {
          EXPECT_EQ(y.strides(), x.strides());
        }
        expect_same_description(pair.ours(x.to(at::kMeta)), pair.ours(at::empty_like(x)));
      }
}

TEST_F(Functions, AreCloseToATensAndHaveItsGradientsAlsoOfSecondOrder) {
  for (const Pair& pair : pairs()) {
    SCOPED_TRACE(pair.name);
    const Tensor ours = input_for(pair, {7, 9}).requires_grad_(),
                 theirs = ours.detach().clone().requires_grad_();
    const Tensor weights = at::randn({7, 9});
    const auto gradients = [&](const Tensor& y, const Tensor& x, bool has_second) {
      const Tensor first = torch::autograd::grad({y}, {x}, {weights}, true, /*create_graph=*/true)[0];
      // Of a function that is a line in pieces the second derivative is 0, and there is no graph of it.
      const Tensor second = has_second && first.requires_grad()
                                ? torch::autograd::grad({first.sin()}, {x}, {weights}, {}, false, true)[0]
                                : Tensor();
      return std::pair(first.detach(), second.defined() ? second : at::zeros({7, 9}));
    };
    const Tensor y = pair.ours(ours), expected = pair.theirs(theirs);
    EXPECT_TRUE(at::allclose(y, expected, 1e-5, 1e-6));
    const auto [first, second] = gradients(y, ours, true);
    const auto [their_first, their_second] = gradients(expected, theirs, pair.has_second);
    EXPECT_TRUE(at::allclose(first, their_first, 1e-4, 1e-5));
    EXPECT_TRUE(at::allclose(second, their_second, 1e-4, 1e-4));
  }
}

TEST_F(Functions, GiveTheSameBitsWith1And2Threads) {
  for (const Pair& pair : pairs()) {
    const Tensor x = input_for(pair, {301, 1003});
    const auto [one, two] = with_1_and_2_threads([&] { return pair.ours(x); });
    EXPECT_EQ(first_difference(two, one), "") << pair.name;
  }
}

TEST_F(Functions, SayWhichArgumentIsWrong) {
  const Tensor x = at::zeros({2});
  expect_errors({
      {"[exp] x: expected float32, got bfloat16; call .to(torch::kFloat)",
       [] { ops::exp(at::zeros({2}, at::kBFloat16)); }},
      {"[gelu] approximate: expected none or tanh, got erf", [&] { ops::gelu(x, "erf"); }},
      {"[elu] input_scale: expected a number > 0, got -1", [&] { ops::elu(x, 1, 1, -1); }},
      {"[elu] expected 3 finite scales, got [1, inf, 1]",
       [&] { ops::elu(x, std::numeric_limits<double>::infinity(), 1, 1); }},
      {"[apply_function] function: expected a name such as gelu, got \"sine\"; docs/reference/operators.md "
       "lists them",
       [&] {
         apply_function(x, "sine", {1.0, 1.0, 1.0});
       }},
  });
}

}  // namespace
}  // namespace samebits::ops
