// csrc/layers/linear.h against the oracle forward and against torch's autograd on the float surrogate
// backward; threads, Meta tensors, and the text of every error.
#include "csrc/layers/linear.h"

#include "tests/csrc/layer_test.h"

namespace samebits::ops {
namespace {

class LinearOp : public OpTest {
 protected:
  Random random_{3};
};

LayerOutput call(const Layer& layer) {
  return linear(layer.x, layer.weight, layer.bias, layer.x_grid, layer.weight_grid);
}

Tensor oracle_y(const Layer& layer) {
  const std::int64_t in = layer.weight.size(1), out = layer.weight.size(0);
  std::vector<std::int64_t> shape = layer.x.sizes().vec();
  shape.back() = out;
  return tensor_of(oracle::linear(layer.x_codes(), layer.x.numel() / in, layer.x_oracle, layer.weight_oracle,
                                  layer.bias_values()),
                   shape);
}

TEST_F(LinearOp, GivesTheOraclesBitsForEveryKindOfWeight) {
  for (const WeightKind& kind : all_weight_kinds()) {
    for (int round = 0; round < 8; ++round) {
      const std::int64_t in = kernels::random_int(random_, 1, 150), out = kernels::random_int(random_, 1, 40);
      const Layer layer = random_layer(random_, kind, out, in, {kernels::random_int(random_, 1, 70), in});
      SCOPED_TRACE(c10::str(describe(kind), ": ", layer.x.sizes(), " x ", layer.weight.sizes()));
      const LayerOutput out_tensors = call(layer);
      EXPECT_EQ(first_difference(out_tensors.y, oracle_y(layer)), "");
      EXPECT_EQ(values_of<std::int8_t>(out_tensors.x_codes), layer.x_codes());
      EXPECT_EQ(out_tensors.x_codes.sizes(), layer.x.sizes());
      EXPECT_EQ(out_tensors.clip_mask.numel(), (layer.x.numel() + 7) / 8);
      EXPECT_FALSE(out_tensors.saw_nan.item<bool>());
    }
  }
}

TEST_F(LinearOp, TakesLeadingDimensionsOfAnyNumberAndMemoryLayout) {
  for (const WeightKind& kind : {kernels::kWeightKinds[0], kernels::kWeightKinds[7]}) {
    for (const std::vector<std::int64_t>& shape : std::vector<std::vector<std::int64_t>>{
             {40}, {1, 40}, {3, 40}, {2, 3, 40}, {2, 1, 5, 40}, {0, 40}, {3, 0, 40}}) {
      Layer layer = random_layer(random_, kind, 9, 40, shape);
      const Tensor expected = oracle_y(layer), weight = layer.weight;
      for (const auto& [why, x] : memory_layouts(layer.x)) {
        for (const auto& [weight_why, weight_memory] : memory_layouts(weight)) {
          SCOPED_TRACE(c10::str(describe(kind), ": ", x.sizes(), ", x ", why, ", weight ", weight_why));
          layer.x = x;
          layer.weight = weight_memory;
          const LayerOutput out = call(layer);
          EXPECT_EQ(first_difference(out.y, expected), "");
          EXPECT_TRUE(out.y.is_contiguous());
          EXPECT_TRUE(out.x_codes.is_contiguous());
        }
      }
    }
  }
}

TEST_F(LinearOp, GivesTheOraclesBitsForTheSmallestLayers) {
  for (const std::int64_t in : {1, 2, 3}) {
    for (const std::int64_t out : {1, 2, 17}) {
      for (const std::int64_t rows : {1, 2, 33}) {
        const Layer layer = random_layer(random_, kernels::kWeightKinds[0], out, in, {rows, in});
        EXPECT_EQ(first_difference(call(layer).y, oracle_y(layer)), "")
            << rows << " x " << in << " x " << out;
      }
    }
  }
}

TEST_F(LinearOp, IsExactWhereSaturatingSumsOfPairsWouldNotBe) {
  for (const std::int64_t in : {2, 63, 64, 1024, 66311}) {
    SCOPED_TRACE(in);
    const ActivationGrid x_grid{at::ones({1}), at::full({1}, 127, at::kInt), -128, 127};
    const LayerOutput out = linear(at::full({2, in}, -255.0f), at::full({1, in}, -127.0f), std::nullopt,
                                   x_grid, {at::ones({1}), std::nullopt, -127, 127});
    const float expected = static_cast<float>(255LL * 127 * in);  // at the bound: the largest sum there is
    EXPECT_EQ(first_difference(out.y, at::full({2, 1}, expected)), "");
  }
}

TEST_F(LinearOp, GivesTheSameBitsWith1And2Threads) {
  for (const WeightKind& kind : {kernels::kWeightKinds[0], kernels::kWeightKinds[6]}) {
    const Layer layer = random_layer(random_, kind, 130, 200, {513, 200});
    const auto [one, two] = with_1_and_2_threads([&] { return call(layer); });
    EXPECT_EQ(first_difference(two.y, one.y), "") << describe(kind);
    EXPECT_EQ(first_difference(two.x_codes, one.x_codes), "") << describe(kind);
    EXPECT_EQ(first_difference(two.clip_mask, one.clip_mask), "") << describe(kind);
  }
}

/// Gradients of x, weight and bias; undefined where not asked for.
struct Gradients {
  Tensor x, weight, bias;
};
Gradients gradients(const Tensor& y, const Layer& layer, const Tensor& grad_y) {
  std::vector<Tensor> inputs = {layer.x, layer.weight};
  if (layer.bias.has_value()) inputs.push_back(*layer.bias);
  const auto grads = torch::autograd::grad({y}, inputs, {grad_y});
  return {grads[0], grads[1], layer.bias.has_value() ? grads[2] : Tensor()};
}
void require_grad(Layer& layer) {
  layer.x = layer.x.detach().requires_grad_();
  layer.weight = layer.weight.detach().requires_grad_();
  if (layer.bias.has_value()) layer.bias = layer.bias->detach().requires_grad_();
}

/// The bias gradient is summed in an order of its own: the oracle's.
Gradients surrogate_gradients(const Layer& layer, const Tensor& grad_y) {
  const Tensor x = surrogate_x(layer, layer.x).reshape({-1, layer.weight.size(1)});
  const Tensor y = at::mm(x, surrogate_weight(layer, layer.weight).t());
  const Tensor grad = grad_y.reshape({-1, layer.weight.size(0)});
  const auto grads = torch::autograd::grad({y}, {layer.x, layer.weight}, {grad});
  return {grads[0], grads[1], layer.bias.has_value() ? column_sums_of(grad) : Tensor()};
}

TEST_F(LinearOp, HasTheGradientsOfTheFloatSurrogateToTheBit) {
  for (const WeightKind& kind : all_weight_kinds()) {
    for (const std::vector<std::int64_t>& shape :
         std::vector<std::vector<std::int64_t>>{{17, 45}, {2, 3, 45}, {45}, {150, 45}}) {
      Layer layer = random_layer(random_, kind, 12, 45, shape);
      SCOPED_TRACE(c10::str(describe(kind), ": ", layer.x.sizes()));
      EXPECT_GT(clipped(layer).weight, 0);
      require_grad(layer);
      const Tensor y = call(layer).y, grad_y = at::randn(y.sizes());
      const Gradients got = gradients(y, layer, grad_y), expected = surrogate_gradients(layer, grad_y);
      EXPECT_EQ(first_difference(got.x, expected.x), "");
      EXPECT_EQ(first_difference(got.weight, expected.weight), "");
      EXPECT_EQ(first_difference(got.bias, expected.bias), "");
    }
  }
}

TEST_F(LinearOp, StopsTheGradientOfWhatWasClippedAndOfNothingElse) {
  // x becomes -4, 3.5 (clipped), 1; the weight 0.25, 0.25 (clipped), -0.5 and -0.5 (clipped), 0, 0.25.
  const ActivationGrid x_grid{at::full({1}, 0.5f), at::zeros({1}, at::kInt), -8, 7};
  const WeightGrid weight_grid{at::full({1}, 0.25f), std::nullopt, -2, 1};
  const Tensor x = tensor_of({-4, 4, 1}, {1, 3}).requires_grad_();
  const Tensor weight = tensor_of({0.25f, 0.5f, -0.5f, -0.75f, 0, 0.25f}, {2, 3}).requires_grad_();
  const Tensor y = linear(x, weight, std::nullopt, x_grid, weight_grid).y;
  EXPECT_EQ(first_difference(y, tensor_of({-1.0f + 0.875f - 0.5f, 2.0f + 0.25f}, {1, 2})), "");
  const auto grads = torch::autograd::grad({y}, {x, weight}, {tensor_of({1, 10}, {1, 2})});
  EXPECT_EQ(first_difference(grads[0], tensor_of({0.25f - 5.0f, 0.0f, -0.5f + 2.5f}, {1, 3})), "");
  EXPECT_EQ(first_difference(grads[1], tensor_of({-4, 0, 1, 0, 35, 10}, {2, 3})), "");
}

TEST_F(LinearOp, KeepsTheGridOfEachCallWhenTheBufferMovesBeforeBackward) {
  Layer layer = random_layer(random_, kernels::kWeightKinds[0], 5, 20, {4, 20});
  Layer second = layer;
  second.x_grid.scale = layer.x_grid.scale * 2;
  require_grad(layer);
  second.x = layer.x;
  second.weight = layer.weight;
  second.bias = layer.bias;
  const Tensor grad_y = at::randn({4, 5});
  const Gradients expected_first = surrogate_gradients(layer, grad_y);
  const Gradients expected_second = surrogate_gradients(second, grad_y);

  const ActivationGrid buffers{layer.x_grid.scale.clone(), layer.x_grid.zero_point.clone(), layer.x_grid.qmin,
                               layer.x_grid.qmax};
  const Tensor y_first = linear(layer.x, layer.weight, layer.bias, buffers, layer.weight_grid).y;
  buffers.scale.mul_(2);
  const Tensor y_second = linear(layer.x, layer.weight, layer.bias, buffers, layer.weight_grid).y;
  for (const auto& [y, expected] :
       {std::pair(y_second, expected_second), std::pair(y_first, expected_first)}) {
    const Gradients got = gradients(y, layer, grad_y);
    EXPECT_EQ(first_difference(got.x, expected.x), "");
    EXPECT_EQ(first_difference(got.weight, expected.weight), "");
  }
  EXPECT_NE(first_difference(expected_first.weight, expected_second.weight), "");
}

TEST_F(LinearOp, ComputesOnlyTheGradientsThatAreAskedFor) {
  Layer layer = random_layer(random_, kernels::kWeightKinds[0], 5, 20, {4, 20});
  layer.bias = at::randn({5});
  require_grad(layer);
  const Tensor grad_y = at::randn({4, 5});
  const Gradients all = surrogate_gradients(layer, grad_y);
  for (int subset = 0; subset < 8; ++subset) {
    SCOPED_TRACE(c10::str("subset ", subset));
    Layer some = layer;
    some.x = layer.x.detach().requires_grad_(subset & 1);
    some.weight = layer.weight.detach().requires_grad_(subset & 2);
    some.bias = layer.bias->detach().requires_grad_(subset & 4);
    const LayerOutput out = call(some);
    EXPECT_EQ(out.y.requires_grad(), subset != 0);
    EXPECT_FALSE(out.x_codes.requires_grad() || out.clip_mask.requires_grad() || out.saw_nan.requires_grad());
    if (subset == 0) continue;
    out.y.backward(grad_y);
    EXPECT_EQ(first_difference(some.x.grad(), subset & 1 ? all.x : Tensor()), "");
    EXPECT_EQ(first_difference(some.weight.grad(), subset & 2 ? all.weight : Tensor()), "");
    EXPECT_EQ(first_difference(some.bias->grad(), subset & 4 ? all.bias : Tensor()), "");
  }
}

TEST_F(LinearOp, GivesZeroGradientsForABatchOfNoRows) {
  Layer layer = random_layer(random_, kernels::kWeightKinds[0], 5, 20, {0, 20});
  layer.bias = at::randn({5});
  require_grad(layer);
  call(layer).y.sum().backward();
  EXPECT_EQ(first_difference(layer.x.grad(), at::zeros({0, 20})), "");
  EXPECT_EQ(first_difference(layer.weight.grad(), at::zeros({5, 20})), "");
  EXPECT_EQ(first_difference(layer.bias->grad(), at::zeros({5})), "");
}

TEST_F(LinearOp, KeepsNoGraphWhenGradientsAreOff) {
  Layer layer = random_layer(random_, kernels::kWeightKinds[0], 5, 20, {4, 20});
  require_grad(layer);
  const Tensor expected = call(layer).y;
  const at::NoGradGuard no_grad;
  const Tensor y = call(layer).y;
  EXPECT_FALSE(y.requires_grad());
  EXPECT_EQ(first_difference(y, expected), "");
}

TEST_F(LinearOp, RefusesBackwardAfterTheWeightWasChanged) {
  Layer layer = random_layer(random_, kernels::kWeightKinds[0], 5, 20, {4, 20});
  require_grad(layer);
  const Tensor y = call(layer).y;
  {
    const at::NoGradGuard no_grad;
    layer.weight.add_(1);
  }
  EXPECT_THAT(error_of([&] { y.sum().backward(); }), testing::HasSubstr("modified by an inplace operation"));
}

TEST_F(LinearOp, SaysThatItSawANaNAtTheInput) {
  Layer layer = random_layer(random_, kernels::kWeightKinds[0], 3, 20, {4, 20});
  const Tensor zero_row = layer.x.clone();
  zero_row[1].zero_();
  layer.x[1].fill_(std::numeric_limits<float>::quiet_NaN());
  const LayerOutput out = call(layer);
  EXPECT_TRUE(out.saw_nan.item<bool>());
  layer.x = zero_row;
  EXPECT_EQ(first_difference(out.y, call(layer).y), "");
}

TEST_F(LinearOp, TellsTheShapesOfMetaTensorsAsTheCpuDoes) {
  const auto meta = [](const Tensor& tensor) { return tensor.to(at::kMeta); };
  for (const std::vector<std::int64_t>& shape :
       std::vector<std::vector<std::int64_t>>{{40}, {3, 40}, {2, 3, 40}, {0, 40}}) {
    const Layer layer = random_layer(random_, kernels::kWeightKinds[7], 9, 40, shape);
    for (const auto& [why, x] : memory_layouts(layer.x)) {
      SCOPED_TRACE(c10::str(x.sizes(), ", ", why));
      const LayerOutput out = linear(x, layer.weight, layer.bias, layer.x_grid, layer.weight_grid);
      const LayerOutput got = linear(
          meta(x), meta(layer.weight),
          layer.bias.has_value() ? std::optional(meta(*layer.bias)) : std::nullopt,
          {meta(layer.x_grid.scale), meta(layer.x_grid.zero_point), layer.x_grid.qmin, layer.x_grid.qmax},
          {meta(layer.weight_grid.scale), meta(*layer.weight_grid.zero_point), layer.weight_grid.qmin,
           layer.weight_grid.qmax, layer.weight_grid.group_size});
      expect_same_description(got.y, out.y);
      expect_same_description(got.x_codes, out.x_codes);
      expect_same_description(got.clip_mask, out.clip_mask);
      expect_same_description(got.saw_nan, out.saw_nan);
    }
  }
}

TEST_F(LinearOp, SaysWhichArgumentIsWrong) {
  const Layer layer = random_layer(random_, kernels::kWeightKinds[0], 2, 6, {4, 6});
  expect_layer_errors("linear", layer, call);
  const auto changed = [&](const Tensor& x, const Tensor& weight, std::int64_t group_size = 0) {
    return [=] {
      const WeightGrid grid{
          at::ones({2, group_size == 0 ? 1 : (weight.size(1) + group_size - 1) / group_size}), std::nullopt,
          -127, 127, group_size};
      linear(x, weight, std::nullopt, layer.x_grid, grid);
    };
  };
  expect_errors({
      {"[linear] weight: expected [out_features, in_features], got shape [2, 3, 1]",
       changed(layer.x, at::zeros({2, 3, 1}))},
      {"[linear] x: expected [..., 6], got shape [4, 5]", changed(at::zeros({4, 5}), layer.weight)},
      {"[linear] x: expected [..., 6], got shape []", changed(at::zeros({}), layer.weight)},
      {"[linear] group_size: expected a multiple of 4, got 3; use 32, 64 or 128",
       changed(layer.x, layer.weight, 3)},
      {"[linear] group_size: expected 0 (none) or more, got -2",
       [&] {
         linear(layer.x, layer.weight, {}, layer.x_grid, {at::ones({1}), {}, -127, 127, -2});
       }},
      {"[linear] weight_scale: expected 2 x 3 values for groups of 2, got 4",
       [&] {
         linear(layer.x, layer.weight, {}, layer.x_grid, {at::ones({2, 2}), {}, -127, 127, 2});
       }},
  });
}

TEST_F(LinearOp, RefusesMoreInputsThanInt32SumsAllow) {
  const auto call_with = [](std::int64_t in, std::int64_t qmin, std::int64_t group_size = 0) {
    return [=] {
      const std::int64_t groups = group_size == 0 ? 1 : (in + group_size - 1) / group_size;
      const WeightGrid grid{at::ones({1, groups}), std::nullopt, qmin, 127, group_size};
      const ActivationGrid x_grid{at::ones({1}), at::zeros({1}, at::kInt), -128, 127};
      linear(at::zeros({1, in}), at::zeros({1, in}), std::nullopt, x_grid, grid);
    };
  };
  const std::string way_out = "; use fewer bits, groups, or split the layer";
  expect_errors({
      {"no error", call_with(66311, -127)},
      {"[linear] in_features: expected <= 66311 for these codes' sums in int32, got 66312" + way_out,
       call_with(66312, -127)},
      {"no error", call_with(65793, -128)},
      {"[linear] in_features: expected <= 65793 for these codes' sums in int32, got 65794" + way_out,
       call_with(65794, -128)},
      {"no error", call_with(70000, -127, 128)},  // only a group's sum counts
      {"[linear] in_features: expected <= 66311 for these codes' sums in int32, got 70000" + way_out,
       call_with(70000, -127, 66400)},
  });
}

}  // namespace
}  // namespace samebits::ops
