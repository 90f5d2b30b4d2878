// csrc/layers/conv2d.h against the oracle forward and against torch's autograd on the float surrogate
// backward; threads, Meta tensors, and the text of every error.
#include "csrc/layers/conv2d.h"

#include "tests/csrc/layer_test.h"

namespace samebits::ops {
namespace {

/// A convolution's sizes, and why they are tested.
struct Shape {
  const char* why;
  std::int64_t images;
  oracle::Conv2d sizes;

  Conv2dWindow window() const {
    return {{sizes.stride_height, sizes.stride_width},
            {sizes.padding_height, sizes.padding_width},
            {sizes.dilation_height, sizes.dilation_width},
            sizes.groups};
  }
  std::int64_t depth() const {
    return sizes.in_channels / sizes.groups * sizes.kernel_height * sizes.kernel_width;
  }
  std::vector<std::int64_t> x_shape() const { return {images, sizes.in_channels, sizes.height, sizes.width}; }
  std::vector<std::int64_t> weight_shape() const {
    return {sizes.out_channels, sizes.in_channels / sizes.groups, sizes.kernel_height, sizes.kernel_width};
  }
  std::vector<std::int64_t> y_shape() const {
    return {images, sizes.out_channels, sizes.out_height(), sizes.out_width()};
  }
};
const Shape kShapes[] = {
    {"1x1", 2, {3, 4, 5, 6, 1, 1}},
    {"3x3 padded", 3, {2, 7, 6, 4, 3, 3, 1, 1, 1, 1}},
    {"one pixel out", 2, {2, 3, 3, 5, 3, 3}},
    {"strides that leave a rest", 2, {3, 8, 9, 4, 3, 3, 2, 3, 1, 0}},
    {"dilated", 2, {2, 9, 8, 3, 3, 2, 1, 1, 2, 1, 2, 3}},
    {"a kernel of unequal sides", 1, {4, 6, 5, 3, 1, 4, 1, 2, 0, 3}},
    {"groups", 2, {6, 5, 5, 4, 3, 3, 1, 1, 1, 1, 1, 1, 2}},
    {"depthwise", 2, {5, 6, 6, 5, 3, 3, 1, 1, 1, 1, 1, 1, 5}},
    {"more padding than image", 1, {1, 1, 2, 2, 3, 3, 1, 1, 2, 2}},
    {"no images", 0, {2, 4, 4, 3, 3, 3}},
};

class Conv2dOp : public OpTest {
 protected:
  Random random_{4};
};

Layer random_conv(Random& random, const WeightKind& kind, const Shape& shape) {
  Layer layer = random_layer(random, kind, shape.sizes.out_channels, shape.depth(), shape.x_shape());
  layer.weight = layer.weight.reshape(shape.weight_shape());
  return layer;
}

LayerOutput call(const Layer& layer, const Conv2dWindow& window) {
  return conv2d(layer.x, layer.weight, layer.bias, window, layer.x_grid, layer.weight_grid);
}

Tensor oracle_y(const Layer& layer, const Shape& shape) {
  return tensor_of(oracle::conv2d(layer.x_codes(), shape.images, shape.sizes, layer.x_oracle,
                                  layer.weight_oracle, layer.bias_values()),
                   shape.y_shape());
}

/// The kinds that a convolution takes: no groups of inputs.
std::vector<WeightKind> weight_kinds() {
  std::vector<WeightKind> kinds;
  for (const WeightKind& kind : all_weight_kinds())
    if (kind.group_size == 0) kinds.push_back(kind);
  return kinds;
}

TEST_F(Conv2dOp, GivesTheOraclesBitsForEveryShapeAndKindOfWeight) {
  for (const Shape& shape : kShapes) {
    for (const WeightKind& kind : weight_kinds()) {
      SCOPED_TRACE(c10::str(shape.why, ", ", describe(kind)));
      const Layer layer = random_conv(random_, kind, shape);
      const LayerOutput out = call(layer, shape.window());
      EXPECT_EQ(first_difference(out.y, oracle_y(layer, shape)), "");
      EXPECT_EQ(values_of<std::int8_t>(out.x_codes), layer.x_codes());
      EXPECT_EQ(out.clip_mask.numel(), (layer.x.numel() + 7) / 8);
      EXPECT_FALSE(out.saw_nan.item<bool>());
    }
  }
}

TEST_F(Conv2dOp, TakesTensorsOfAnyMemoryLayout) {
  for (const Shape& shape : kShapes) {
    Layer layer = random_conv(random_, kernels::kWeightKinds[3], shape);
    const Tensor expected = oracle_y(layer, shape), weight = layer.weight;
    for (const auto& [why, x] : memory_layouts(layer.x)) {
      for (const auto& [weight_why, weight_memory] : memory_layouts(weight)) {
        SCOPED_TRACE(c10::str(shape.why, ", x ", why, ", weight ", weight_why));
        layer.x = x;
        layer.weight = weight_memory;
        const LayerOutput out = call(layer, shape.window());
        EXPECT_EQ(first_difference(out.y, expected), "");
        EXPECT_TRUE(out.y.is_contiguous());
      }
    }
  }
}

TEST_F(Conv2dOp, GivesTheSameBitsWith1And2Threads) {
  const Shape shape{"", 17, {8, 14, 14, 16, 3, 3, 1, 1, 1, 1}};
  const Layer layer = random_conv(random_, kernels::kWeightKinds[0], shape);
  const auto [one, two] = with_1_and_2_threads([&] { return call(layer, shape.window()); });
  EXPECT_EQ(first_difference(two.y, one.y), "");
  EXPECT_EQ(first_difference(two.x_codes, one.x_codes), "");
  EXPECT_EQ(first_difference(two.clip_mask, one.clip_mask), "");
}

void require_grad(Layer& layer) {
  layer.x = layer.x.detach().requires_grad_();
  layer.weight = layer.weight.detach().requires_grad_();
  if (layer.bias.has_value()) layer.bias = layer.bias->detach().requires_grad_();
}

/// The gradients of x, weight and, where there is one, bias.
std::vector<Tensor> gradients(const Tensor& y, const Layer& layer, const Tensor& grad_y) {
  std::vector<Tensor> inputs = {layer.x, layer.weight};
  if (layer.bias.has_value()) inputs.push_back(*layer.bias);
  return torch::autograd::grad({y}, inputs, {grad_y});
}
std::vector<Tensor> surrogate_gradients(const Layer& layer, const Conv2dWindow& window,
                                        const Tensor& grad_y) {
  const Tensor y = at::conv2d(surrogate_x(layer, layer.x), surrogate_weight(layer, layer.weight), layer.bias,
                              window.stride, window.padding, window.dilation, window.groups);
  return gradients(y, layer, grad_y);
}

TEST_F(Conv2dOp, HasTheGradientsOfTheFloatSurrogate) {
  for (const Shape& shape : kShapes) {
    if (shape.images == 0) continue;
    for (const WeightKind& kind : weight_kinds()) {
      SCOPED_TRACE(c10::str(shape.why, ", ", describe(kind)));
      Layer layer = random_conv(random_, kind, shape);
      const Clipped stopped = clipped(layer);
      require_grad(layer);
      const Tensor y = call(layer, shape.window()).y, grad_y = at::randn(y.sizes());
      const auto got = gradients(y, layer, grad_y);
      const auto expected = surrogate_gradients(layer, shape.window(), grad_y);
      for (std::size_t i = 0; i < got.size(); ++i)
        EXPECT_TRUE(at::allclose(got[i], expected[i], 1e-5, 1e-5)) << "gradient " << i;
      EXPECT_GE((got[0] == 0).sum().item<std::int64_t>(), stopped.x);
      EXPECT_GE((got[1] == 0).sum().item<std::int64_t>(), stopped.weight);
    }
  }
}

TEST_F(Conv2dOp, KeepsTheGridOfEachCallWhenTheBufferMovesBeforeBackward) {
  const Shape& shape = kShapes[1];
  Layer layer = random_conv(random_, kernels::kWeightKinds[0], shape);
  require_grad(layer);
  Layer second = layer;
  second.x_grid.scale = layer.x_grid.scale * 2;
  const Tensor grad_y = at::randn(shape.y_shape());
  const auto expected_first = surrogate_gradients(layer, shape.window(), grad_y);
  const auto expected_second = surrogate_gradients(second, shape.window(), grad_y);

  layer.x_grid.scale = layer.x_grid.scale.clone();
  const Tensor y_first = call(layer, shape.window()).y;
  layer.x_grid.scale.mul_(2);
  const Tensor y_second = call(layer, shape.window()).y;
  for (const auto& [y, expected] :
       {std::pair(y_second, expected_second), std::pair(y_first, expected_first)}) {
    const auto got = gradients(y, layer, grad_y);
    for (const std::size_t i : {0, 1})
      EXPECT_TRUE(at::allclose(got[i], expected[i], 1e-5, 1e-5)) << "gradient " << i;
  }
  EXPECT_FALSE(at::allclose(expected_first[1], expected_second[1], 1e-5, 1e-5));
}

TEST_F(Conv2dOp, ComputesOnlyTheGradientsThatAreAskedFor) {
  const Shape& shape = kShapes[1];
  Layer layer = random_conv(random_, kernels::kWeightKinds[0], shape);
  layer.bias = at::randn({shape.sizes.out_channels});
  require_grad(layer);
  const Tensor grad_y = at::randn(shape.y_shape());
  const auto all = surrogate_gradients(layer, shape.window(), grad_y);
  for (int subset = 0; subset < 8; ++subset) {
    SCOPED_TRACE(c10::str("subset ", subset));
    Layer some = layer;
    some.x = layer.x.detach().requires_grad_(subset & 1);
    some.weight = layer.weight.detach().requires_grad_(subset & 2);
    some.bias = layer.bias->detach().requires_grad_(subset & 4);
    const LayerOutput out = call(some, shape.window());
    EXPECT_EQ(out.y.requires_grad(), subset != 0);
    EXPECT_FALSE(out.x_codes.requires_grad() || out.clip_mask.requires_grad() || out.saw_nan.requires_grad());
    if (subset == 0) continue;
    out.y.backward(grad_y);
    const Tensor grads[] = {some.x.grad(), some.weight.grad(), some.bias->grad()};
    for (int i = 0; i < 3; ++i) {
      const bool asked = (subset >> i & 1) != 0;
      ASSERT_EQ(grads[i].defined(), asked);
      EXPECT_TRUE(!asked || at::allclose(grads[i], all[i], 1e-5, 1e-5)) << "gradient " << i;
    }
  }
}

TEST_F(Conv2dOp, KeepsNoGraphWhenGradientsAreOff) {
  Layer layer = random_conv(random_, kernels::kWeightKinds[0], kShapes[1]);
  require_grad(layer);
  const at::NoGradGuard no_grad;
  EXPECT_FALSE(call(layer, kShapes[1].window()).y.requires_grad());
}

TEST_F(Conv2dOp, SaysThatItSawANaNAtTheInput) {
  Layer layer = random_conv(random_, kernels::kWeightKinds[0], kShapes[1]);
  layer.x[1][0][2][3] = std::numeric_limits<float>::quiet_NaN();
  const LayerOutput out = call(layer, kShapes[1].window());
  EXPECT_TRUE(out.saw_nan.item<bool>());
  layer.x[1][0][2][3] = 0.0f;
  EXPECT_EQ(first_difference(out.y, call(layer, kShapes[1].window()).y), "");
}

TEST_F(Conv2dOp, TellsTheShapesOfMetaTensorsAsTheCpuDoes) {
  const auto meta = [](const Tensor& tensor) { return tensor.to(at::kMeta); };
  for (const Shape& shape : kShapes) {
    const Layer layer = random_conv(random_, kernels::kWeightKinds[3], shape);
    for (const auto& [why, x] : memory_layouts(layer.x)) {
      SCOPED_TRACE(c10::str(shape.why, ", ", why));
      const LayerOutput out =
          conv2d(x, layer.weight, layer.bias, shape.window(), layer.x_grid, layer.weight_grid);
      const LayerOutput got = conv2d(
          meta(x), meta(layer.weight), std::nullopt, shape.window(),
          {meta(layer.x_grid.scale), meta(layer.x_grid.zero_point), layer.x_grid.qmin, layer.x_grid.qmax},
          {meta(layer.weight_grid.scale), meta(*layer.weight_grid.zero_point), layer.weight_grid.qmin,
           layer.weight_grid.qmax});
      expect_same_description(got.y, out.y);
      expect_same_description(got.x_codes, out.x_codes);
      expect_same_description(got.clip_mask, out.clip_mask);
      expect_same_description(got.saw_nan, out.saw_nan);
    }
  }
}

TEST_F(Conv2dOp, SaysWhichArgumentIsWrong) {
  const Shape shape{"", 1, {3, 5, 6, 2, 3, 3}};
  const Layer layer = random_conv(random_, kernels::kWeightKinds[0], shape);
  expect_layer_errors("conv2d", layer, [&](const Layer& changed) { call(changed, shape.window()); });
  const auto with = [&](auto change) {
    return [=, &layer] {
      Layer copy = layer;
      Conv2dWindow window;
      change(copy, window);
      call(copy, window);
    };
  };
  expect_errors({
      {"[conv2d] weight: expected [out, in / groups, height, width], got shape [2, 3, 3]",
       with([](Layer& l, Conv2dWindow&) {
         l.weight = at::zeros({2, 3, 3});
       })},
      {"[conv2d] x: expected [n, 3, height, width], got shape [1, 4, 5, 6]",
       with([](Layer& l, Conv2dWindow&) {
         l.x = at::zeros({1, 4, 5, 6});
       })},
      {"[conv2d] x: expected [n, 3, height, width], got shape [3, 5, 6]",
       with([](Layer& l, Conv2dWindow&) { l.x = l.x[0]; })},
      {"[conv2d] x: expected at least 3 x 3 padded pixels, got 2 x 6", with([](Layer& l, Conv2dWindow&) {
         l.x = at::zeros({1, 3, 2, 6});
       })},
      {"[conv2d] x: expected at least 7 x 3 padded pixels, got 5 x 6", with([](Layer&, Conv2dWindow& w) {
         w.dilation = {3, 1};
       })},
      {"[conv2d] stride: expected 2 integers >= 1, got [1, 0]", with([](Layer&, Conv2dWindow& w) {
         w.stride = {1, 0};
       })},
      {"[conv2d] padding: expected 2 integers >= 0, got [-1, 0]", with([](Layer&, Conv2dWindow& w) {
         w.padding = {-1, 0};
       })},
      {"[conv2d] dilation: expected 2 integers >= 1, got [0, 1]", with([](Layer&, Conv2dWindow& w) {
         w.dilation = {0, 1};
       })},
      {"[conv2d] groups: expected a divisor of 2 output channels, got 0",
       with([](Layer&, Conv2dWindow& w) { w.groups = 0; })},
      {"[conv2d] groups: expected a divisor of 2 output channels, got 3",
       with([](Layer&, Conv2dWindow& w) { w.groups = 3; })},
  });
}

TEST_F(Conv2dOp, RefusesADeeperSumThanInt32Allows) {
  const auto call_with = [](std::int64_t channels) {
    return [=] {
      const ActivationGrid x_grid{at::ones({1}), at::zeros({1}, at::kInt), -128, 127};
      conv2d(at::zeros({1, channels, 3, 3}), at::zeros({1, channels, 3, 3}), std::nullopt, {}, x_grid,
             {at::ones({1}), std::nullopt, -127, 127});
    };
  };
  expect_errors(
      {{"no error", call_with(7367)},  // 66303 products
       {"[conv2d] in_channels / groups * kernel size: expected <= 66311 for these codes' sums in int32, got "
        "66312; use fewer bits, groups, or split the layer",
        call_with(7368)}});
}

}  // namespace
}  // namespace samebits::ops
