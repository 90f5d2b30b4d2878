// csrc/float/float_linear.h and float_conv2d.h: the oracle's bits whatever the layout and the threads, and
// ATen's gradients.
#include "csrc/float/float_conv2d.h"
#include "csrc/float/float_linear.h"
#include "tests/csrc/op_test.h"
#include "tests/float_oracle.h"

namespace samebits::ops {
namespace {

class FloatLayers : public OpTest {};
using OptionalTensor = std::optional<Tensor>;
using Pair = std::array<std::int64_t, 2>;

/// A leaf whose memory is not in order.
Tensor strided(std::vector<std::int64_t> shape) {
  return at::randn(shape).transpose(0, -1).contiguous().transpose(0, -1).requires_grad_(true);
}

void expect_close(const Tensor& got, const Tensor& expected) {
  EXPECT_EQ(got.sizes(), expected.sizes());
  const float largest = std::max(1.0f, expected.abs().max().item<float>());
  EXPECT_LT((got - expected).abs().max().item<float>(), 1e-4f * largest);
}

/// Of the first order, and of a sum over those.
std::vector<Tensor> gradients(const Tensor& y, const std::vector<Tensor>& inputs) {
  auto first = torch::autograd::grad({y.sin()}, inputs, {at::ones_like(y)}, true, /*create_graph=*/true);
  Tensor sum = at::zeros({});
  for (const Tensor& each : first) sum = sum + each.square().sum();
  const auto second = torch::autograd::grad({sum}, inputs);
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

TEST_F(FloatLayers, LinearGivesTheOraclesBitsForRowsOfEveryRank) {
  for (const std::vector<std::int64_t>& shape :
       std::vector<std::vector<std::int64_t>>{{7}, {5, 7}, {2, 3, 7}, {0, 7}}) {
    for (const bool has_bias : {false, true}) {
      const Tensor x = strided(shape), weight = strided({9, 7});
      const auto bias = has_bias ? std::optional(at::randn({9})) : std::nullopt;
      const Tensor y = float_linear(x, weight, bias);
      const std::vector<float> expected =
          oracle::float_linear(values_of<float>(x), values_of<float>(weight), 9, 7,
                               has_bias ? values_of<float>(*bias) : std::vector<float>());
      EXPECT_EQ(first_difference(y, tensor_of(expected, y.sizes())), "");
      EXPECT_EQ(y.size(-1), 9);
      expect_same_description(float_linear(x.to(at::kMeta), weight.to(at::kMeta), std::nullopt), y);
    }
  }
}

TEST_F(FloatLayers, Conv2dGivesTheOraclesBits) {
  const Tensor x = strided({2, 6, 8, 7}), weight = strided({4, 3, 3, 2}), bias = at::randn({4});
  const Tensor y = float_conv2d(x, weight, bias, Conv2dWindow{{2, 1}, {1, 2}, {1, 2}, 2});
  const oracle::Conv2d shape{6, 8, 7, 4, 3, 2, 2, 1, 1, 2, 1, 2, 2};
  const std::vector<float> expected =
      oracle::float_conv2d(shape, values_of<float>(x), values_of<float>(weight), values_of<float>(bias));
  EXPECT_EQ(y.sizes(), (std::vector<std::int64_t>{2, 4, shape.out_height(), shape.out_width()}));
  EXPECT_EQ(first_difference(y, tensor_of(expected, y.sizes())), "");
  expect_same_description(float_conv2d(x.to(at::kMeta), weight.to(at::kMeta), bias.to(at::kMeta),
                                       Conv2dWindow{{2, 1}, {1, 2}, {1, 2}, 2}),
                          y);
  EXPECT_EQ(float_conv2d(x.narrow(0, 0, 0), weight, bias, Conv2dWindow{{1, 1}, {0, 0}, {1, 1}, 2}).size(0),
            0);
}

TEST_F(FloatLayers, MultiplyByTheFactorsOfTheirChannelsBeforeTheBias) {
  const Tensor x = strided({2, 6, 8, 7}), kernel = strided({4, 3, 3, 2}),
               scale = at::tensor({-1.3f, 0.0f, 2.1f, 1e-20f});
  const oracle::Conv2d shape{6, 8, 7, 4, 3, 2, 2, 1, 1, 2, 1, 2, 2};
  for (const OptionalTensor& bias : {OptionalTensor(at::randn({4})), OptionalTensor()}) {
    const std::vector<float> bias_values = bias.has_value() ? values_of<float>(*bias) : std::vector<float>();
    const Tensor y = float_conv2d(x, kernel, bias, Conv2dWindow{{2, 1}, {1, 2}, {1, 2}, 2}, scale);
    EXPECT_EQ(first_difference(
                  y, tensor_of(oracle::float_conv2d(shape, values_of<float>(x), values_of<float>(kernel),
                                                    bias_values, values_of<float>(scale)),
                               y.sizes())),
              "");
    const Tensor rows = strided({5, 7}), weight = strided({4, 7});
    EXPECT_EQ(
        first_difference(float_linear(rows, weight, bias, scale),
                         tensor_of(oracle::float_linear(values_of<float>(rows), values_of<float>(weight), 4,
                                                        7, bias_values, values_of<float>(scale)),
                                   {5, 4})),
        "");
  }
}

TEST_F(FloatLayers, HaveTheGradientsOfTheirChannelsFactors) {
  const Tensor scale = at::tensor({-1.3f, 0.0f, 2.1f, 0.5f}).requires_grad_();
  for (const bool has_bias : {true, false}) {
    const auto leaf = [](at::IntArrayRef sizes) { return at::randn(sizes).requires_grad_(); };
    const Tensor x = leaf({2, 3, 7}), weight = leaf({4, 7}), bias = leaf({4}), image = leaf({2, 4, 6, 5}),
                 kernel = leaf({4, 2, 3, 3});
    std::vector<Tensor> of_linear = {x, weight, scale}, of_conv = {image, kernel, scale};
    const OptionalTensor given = has_bias ? OptionalTensor(bias) : OptionalTensor();
    Tensor linear = at::matmul(x, weight.t()) * scale,
           conv = at::conv2d(image, kernel, {}, {2, 1}, {1, 0}, {1, 1}, 2) * scale.view({4, 1, 1});
    if (has_bias) {
      linear = linear + bias, conv = conv + bias.view({4, 1, 1});
      of_linear.push_back(bias), of_conv.push_back(bias);
    }
    const auto expect = [&](const Tensor& got, const Tensor& expected, const std::vector<Tensor>& inputs) {
      const auto ours = gradients(got, inputs), aten = gradients(expected, inputs);
      for (std::size_t i = 0; i < ours.size(); ++i) expect_close(ours[i], aten[i]);
    };
    expect(float_linear(x, weight, given, scale), linear, of_linear);
    expect(float_conv2d(image, kernel, given, Conv2dWindow{{2, 1}, {1, 0}, {1, 1}, 2}, scale), conv, of_conv);
  }
}

TEST_F(FloatLayers, GiveTheSameBitsWith1And2Threads) {
  const Tensor x = at::randn({40, 300}), weight = at::randn({130, 300}), image = at::randn({3, 8, 21, 20});
  const auto [one, two] =
      with_1_and_2_threads([&] { return float_linear(x, weight, at::randn({130}).zero_()); });
  EXPECT_EQ(first_difference(two, one), "");
  const Tensor kernel = at::randn({16, 8, 3, 3});
  const auto [conv_one, conv_two] = with_1_and_2_threads([&] {
    return float_conv2d(image, kernel, std::nullopt, Conv2dWindow{{1, 1}, {1, 1}, {1, 1}, 1});
  });
  EXPECT_EQ(first_difference(conv_two, conv_one), "");
}

TEST_F(FloatLayers, HaveAtensGradientsAlsoOfSecondOrder) {
  const Tensor x = strided({2, 3, 5}), weight = strided({4, 5}), bias = at::randn({4}).requires_grad_(true);
  const Tensor image = strided({2, 4, 6, 5}), kernel = strided({6, 2, 3, 3}),
               channel = at::randn({6}).requires_grad_(true);
  const auto ours = gradients(float_linear(x, weight, bias), {x, weight, bias});
  const auto theirs = gradients(at::linear(x, weight, bias), {x, weight, bias});
  for (std::size_t i = 0; i < ours.size(); ++i) expect_close(ours[i], theirs[i]);
  const auto conv = gradients(float_conv2d(image, kernel, channel, Conv2dWindow{{2, 1}, {1, 0}, {1, 1}, 2}),
                              {image, kernel, channel});
  const auto aten =
      gradients(at::conv2d(image, kernel, channel, {2, 1}, {1, 0}, {1, 1}, 2), {image, kernel, channel});
  for (std::size_t i = 0; i < conv.size(); ++i) expect_close(conv[i], aten[i]);
}

TEST_F(FloatLayers, SayWhichArgumentIsWrong) {
  const Tensor x = at::zeros({2, 3}), weight = at::zeros({4, 3}), image = at::zeros({1, 2, 5, 5}),
               kernel = at::zeros({4, 2, 3, 3});
  const auto conv = [&](Pair stride, Pair padding, Pair dilation, std::int64_t groups) {
    return [=] { float_conv2d(image, kernel, std::nullopt, {stride, padding, dilation, groups}); };
  };
  expect_errors({
      {"[float_linear] x: expected float32, got bfloat16; call .to(torch::kFloat)",
       [&] { float_linear(x.to(at::kBFloat16), weight, std::nullopt); }},
      {"[float_linear] weight: expected [out, in], got shape [4]",
       [&] { float_linear(x, at::zeros({4}), std::nullopt); }},
      {"[float_linear] x: expected [..., 3], got shape [3, 2]",
       [&] { float_linear(x.t(), weight, std::nullopt); }},
      {"[float_linear] bias: expected [4], got shape [3]", [&] { float_linear(x, weight, at::zeros({3})); }},
      {"[float_conv2d] stride: expected 2 integers in 1..32768, got [1, 0]", conv({1, 0}, {0, 0}, {1, 1}, 1)},
      {"[float_conv2d] padding: expected 2 integers in 0..32768, got [-1, 0]",
       conv({1, 1}, {-1, 0}, {1, 1}, 1)},
      {"[float_conv2d] dilation: expected 2 integers in 1..32768, got [1, 9223372036854775807]",
       conv({1, 1}, {0, 0}, {1, std::numeric_limits<std::int64_t>::max()}, 1)},
      {"[float_conv2d] groups: expected a divisor of 4 output channels, got 3",
       conv({1, 1}, {0, 0}, {1, 1}, 3)},
      {"[float_conv2d] x: expected [n, 4, height, width], got shape [1, 2, 5, 5]",
       conv({1, 1}, {0, 0}, {1, 1}, 2)},
      {"[float_conv2d] x: expected a window within 5 padded elements, got 7",
       conv({1, 1}, {0, 0}, {1, 3}, 1)},
      {"[float_conv2d] weight: expected [out, in / groups, height, width] of sizes >= 1, got shape [4, 2, 3, "
       "0]",
       [&] {
         float_conv2d(image, at::zeros({4, 2, 3, 0}), std::nullopt, Conv2dWindow{{1, 1}, {0, 0}, {1, 1}, 1});
       }},
      {"[float_linear] channel_scale: expected [4], got shape [4, 1]",
       [&] {
         float_linear(x, weight, std::nullopt, at::zeros({4, 1}));
       }},
      {"[float_conv2d] channel_scale: expected float32, got float64; call .to(torch::kFloat)",
       [&] { float_conv2d(image, kernel, std::nullopt, {}, at::zeros({4}, at::kDouble)); }},
      {"[float_conv2d] bias: expected [4], got shape [2]",
       [&] {
         float_conv2d(image, kernel, at::zeros({2}), Conv2dWindow{{1, 1}, {0, 0}, {1, 1}, 1});
       }},
  });
}

}  // namespace
}  // namespace samebits::ops
