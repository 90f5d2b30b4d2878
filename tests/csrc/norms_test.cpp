// csrc/float/norms.h: the oracle's bits in every memory layout, ATen's values and gradients of first and
// second order, with and without parameters.
#include "csrc/float/norms.h"

#include "tests/csrc/op_test.h"
#include "tests/function_oracle.h"

namespace samebits::ops {
namespace {

class Norms : public OpTest {};

using OptionalTensor = std::optional<Tensor>;

/// A norm by ours and by ATen, of x and parameters that may be missing.
struct Pair {
  const char* name;
  std::vector<std::int64_t> shape, parameter_shape;
  std::function<Tensor(const Tensor&x, const OptionalTensor&weight, const OptionalTensor&bias)> ours, theirs;
  bool has_bias = true;
};

/// Statistics of 6 channels.
Tensor running_mean() {
  return at::arange(6, at::kFloat) - 2;
}
Tensor running_var() {
  return at::arange(6, at::kFloat) * 0.3 + 0.1;
}

std::vector<Pair> pairs() {
  using T = const Tensor&;
  using O = const OptionalTensor&;
  const std::vector<std::int64_t> row = {7}, image = {3, 7};
  return {
      {"layer_norm",
       {4, 3, 7},
       row,
       [=](T x, O w, O b) { return ops::layer_norm(x, row, w, b, 1e-5); },
       [=](T x, O w, O b) { return at::layer_norm(x, row, w, b, 1e-5); }},
      {"layer_norm of two dimensions",
       {5, 3, 7},
       image,
       [=](T x, O w, O b) { return ops::layer_norm(x, image, w, b, 1e-3); },
       [=](T x, O w, O b) { return at::layer_norm(x, image, w, b, 1e-3); }},
      {"layer_norm of everything",
       {3, 7},
       image,
       [=](T x, O w, O b) { return ops::layer_norm(x, image, w, b, 1e-5); },
       [=](T x, O w, O b) { return at::layer_norm(x, image, w, b, 1e-5); }},
      {"group_norm",
       {4, 6, 3, 5},
       {6},
       [](T x, O w, O b) { return ops::group_norm(x, 3, w, b, 1e-5); },
       [](T x, O w, O b) { return at::group_norm(x, 3, w, b, 1e-5); }},
      {"group_norm of vectors",
       {4, 6},
       {6},
       [](T x, O w, O b) { return ops::group_norm(x, 2, w, b, 1e-5); },
       [](T x, O w, O b) { return at::group_norm(x, 2, w, b, 1e-5); }},
      {"rms_norm",
       {4, 3, 7},
       row,
       [=](T x, O w, O) { return ops::rms_norm(x, row, w, 1e-5); },
       [=](T x, O w, O) { return at::rms_norm(x, row, w, 1e-5); },
       false},
      {"rms_norm of everything",
       {3, 7},
       image,
       [=](T x, O w, O) { return ops::rms_norm(x, image, w, std::nullopt); },
       [=](T x, O w, O) { return at::rms_norm(x, image, w, std::nullopt); },
       false},
      {"eval_batch_norm",
       {4, 6, 3, 5},
       {6},
       [](T x, O w, O b) { return ops::eval_batch_norm(x, w, b, running_mean(), running_var(), 1e-5); },
       [](T x, O w, O b) {
         return at::batch_norm(x, w, b, running_mean(), running_var(), false, 0.1, 1e-5, false);
       }},
      {"eval_batch_norm of vectors",
       {4, 6},
       {6},
       [](T x, O w, O b) { return ops::eval_batch_norm(x, w, b, running_mean(), running_var(), 1e-5); },
       [](T x, O w, O b) {
         return at::batch_norm(x, w, b, running_mean(), running_var(), false, 0.1, 1e-5, false);
       }},
  };
}

TEST_F(Norms, AreCloseToATensAndHaveItsGradientsAlsoOfSecondOrder) {
  for (const Pair& pair : pairs())
    for (const bool has_weight : {false, true})
      for (const bool has_bias : {false, true}) {
        if (has_bias && !pair.has_bias) continue;
        SCOPED_TRACE(c10::str(pair.name, ", weight ", has_weight, ", bias ", has_bias));
        const Tensor x = at::randn(pair.shape) * 2 + 1, grad = at::randn(pair.shape);
        const Tensor weight = at::randn(pair.parameter_shape), bias = at::randn(pair.parameter_shape);
        const auto run = [&](const auto& norm) {
          std::vector<Tensor> inputs = {x.clone().requires_grad_()};
          OptionalTensor own_weight, own_bias;
          if (has_weight) inputs.push_back(*(own_weight = weight.clone().requires_grad_()));
          if (has_bias) inputs.push_back(*(own_bias = bias.clone().requires_grad_()));
          const Tensor y = norm(inputs[0], own_weight, own_bias);
          std::vector<Tensor> all = {y};
          const auto first = torch::autograd::grad({y}, inputs, {grad}, true, /*create_graph=*/true);
          Tensor total = at::zeros({});
          // Not that of the bias: it does not depend on x.
          for (std::size_t i = 0; i < first.size() - (has_bias ? 1 : 0); ++i)
            total = total + first[i].square().sum() + first[i].sin().sum();
          const auto plain = torch::autograd::grad({norm(inputs[0], own_weight, own_bias)}, inputs, {grad});
          all.insert(all.end(), first.begin(), first.end());
          all.insert(all.end(), plain.begin(), plain.end());
          // Gradients of an affine map of x alone do not depend on x.
          const Tensor second = total.requires_grad()
                                    ? torch::autograd::grad({total}, {inputs[0]}, {}, {}, false, true)[0]
                                    : Tensor();
          all.push_back(second.defined() ? second : at::zeros(pair.shape));
          return all;
        };
        const std::vector<Tensor> ours = run(pair.ours), theirs = run(pair.theirs);
        ASSERT_EQ(ours.size(), theirs.size());
        for (std::size_t i = 0; i < ours.size(); ++i)
          EXPECT_TRUE(at::allclose(ours[i], theirs[i], 1e-3, 2e-4))
              << i << ": " << (ours[i] - theirs[i]).abs().max();
      }
}

TEST_F(Norms, HaveTheOraclesBitsInEveryMemoryLayout) {
  const Tensor weight = at::randn({6}), bias = at::randn({6});
  for (const auto& [why, x] : memory_layouts(at::randn({3, 4, 6}) * 3)) {
    SCOPED_TRACE(why);
    for (const bool is_rms : {false, true}) {
      const std::vector<float> bias_values = is_rms ? std::vector<float>() : values_of<float>(bias);
      const std::vector<float> expected =
          oracle::for_rows(values_of<float>(x), 6, 1, [&](const std::vector<float>& row) {
            return oracle::normalized(row, 1e-5f, is_rms, values_of<float>(weight), bias_values).y;
          });
      const Tensor y =
          is_rms ? ops::rms_norm(x, {6}, weight, 1e-5) : ops::layer_norm(x, {6}, weight, bias, 1e-5);
      EXPECT_EQ(first_difference(y, tensor_of(expected, x.sizes())), "");
    }
  }
  for (const auto& [why, x] : memory_layouts(at::randn({2, 6, 3, 5}))) {
    const Tensor y = ops::eval_batch_norm(x, weight, bias, running_mean(), running_var(), 1e-5);
    const auto per_channel = [](const Tensor& t) { return t.reshape({1, 6, 1, 1}); };
    const Tensor scale = weight / (running_var() + 1e-5).sqrt();
    const Tensor expected = x * per_channel(scale) + per_channel(-running_mean() * scale + bias);
    EXPECT_EQ(first_difference(y, expected), "") << why;
    EXPECT_EQ(first_difference(ops::group_norm(x, 3, weight, bias, 1e-5),
                               ops::group_norm(x.contiguous(), 3, weight, bias, 1e-5)),
              "");
  }
}

TEST_F(Norms, BatchNormOnTheStatisticsOfABatchIsATens) {
  const auto op = c10::Dispatcher::singleton().findSchemaOrThrow("samebits::batch_norm", "");
  const Tensor x = at::randn({4, 6, 3, 5});
  const auto run = [&](bool training, Tensor& mean, Tensor& var) {
    torch::jit::Stack stack = {x, c10::IValue(), c10::IValue(), mean, var, training, 0.1, 1e-5, false};
    op.callBoxed(stack);
    return stack[0].toTensor();
  };
  Tensor mean = running_mean(), var = running_var(), their_mean = running_mean(), their_var = running_var();
  const Tensor y = run(true, mean, var);
  const Tensor expected = at::batch_norm(x, {}, {}, their_mean, their_var, true, 0.1, 1e-5, false);
  EXPECT_EQ(first_difference(y, expected), "");
  EXPECT_EQ(first_difference(mean, their_mean), "");
  EXPECT_EQ(first_difference(run(false, mean, var), ops::eval_batch_norm(x, {}, {}, mean, var, 1e-5)), "");
}

TEST_F(Norms, GiveTheSameBitsWith1And2ThreadsAndTheShapesOfMeta) {
  for (const Pair& pair : pairs()) {
    std::vector<std::int64_t> shape = pair.shape;
    shape[0] *= pair.shape.size() > pair.parameter_shape.size() ? 500 : 1;
    const Tensor x = at::randn(shape), weight = at::randn(pair.parameter_shape);
    const auto [one, two] = with_1_and_2_threads([&] { return pair.ours(x, weight, {}); });
    EXPECT_EQ(first_difference(two, one), "") << pair.name;
  }
  const Tensor meta = at::empty({4, 6, 5}, at::TensorOptions().device(at::kMeta));
  expect_same_description(ops::layer_norm(meta, {5}, {}, {}, 1e-5), at::empty({4, 6, 5}));
  expect_same_description(ops::group_norm(meta, 2, {}, {}, 1e-5), at::empty({4, 6, 5}));
  expect_same_description(ops::rms_norm(meta, {6, 5}, {}, 1e-5), at::empty({4, 6, 5}));
  EXPECT_EQ(ops::layer_norm(at::zeros({0, 3}), {3}, {}, {}, 1e-5).sizes(), (std::vector<std::int64_t>{0, 3}));
}

TEST_F(Norms, SayWhichArgumentIsWrong) {
  const Tensor x = at::zeros({4, 6});
  expect_errors({
      {"[layer_norm] x: expected a shape that ends in [5], got [4, 6]",
       [&] { ops::layer_norm(x, {5}, {}, {}, 1e-5); }},
      {"[layer_norm] weight: expected [6], got shape [5]",
       [&] { ops::layer_norm(x, {6}, at::zeros({5}), {}, 1e-5); }},
      {"[rms_norm] x: expected float32, got float16; call .to(torch::kFloat)",
       [&] { ops::rms_norm(x.to(at::kHalf), {6}, {}, 1e-5); }},
      {"[group_norm] num_groups: expected a divisor of 6 channels, got 4",
       [&] { ops::group_norm(x, 4, {}, {}, 1e-5); }},
      {"[group_norm] bias: expected [6], got shape [4]",
       [&] { ops::group_norm(x, 2, {}, at::zeros({4}), 1e-5); }},
      {"[eval_batch_norm] x: expected [batch, channels, ...], got shape [6]",
       [&] { ops::eval_batch_norm(x[0], {}, {}, running_mean(), running_var(), 1e-5); }},
  });
}

}  // namespace
}  // namespace samebits::ops
