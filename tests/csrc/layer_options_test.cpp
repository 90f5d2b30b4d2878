// What linear and conv2d do besides the product: the relu of their input, and the range that they observe.
#include "tests/csrc/layer_cases.h"

namespace samebits::ops {
namespace {

const float kNaN = std::numeric_limits<float>::quiet_NaN();

class LayerOptionsOp : public OpTest {
 protected:
  Random random_{6};
};

/// The mask of max(x, 0) quantized, as the oracle says: a bit where the relu or the quantizer stops the
/// gradient.
std::vector<std::uint8_t> oracle_mask(const Layer& layer) {
  const std::vector<float> x = values_of<float>(layer.x);
  std::vector<std::uint8_t> mask((x.size() + 7) / 8, 0);
  for (std::size_t i = 0; i < x.size(); ++i)
    if (!(x[i] > 0) || oracle::is_clipped(x[i], layer.x_oracle))
      mask[i / 8] = static_cast<std::uint8_t>(mask[i / 8] | 1 << i % 8);
  return mask;
}

TEST_F(LayerOptionsOp, ReluInputIsAReluInFrontInValuesCodesAndRange) {
  for (const LayerCase& c : layer_cases(random_)) {
    SCOPED_TRACE(c.why);
    Layer behind_relu = c.layer;
    behind_relu.x = at::relu(c.layer.x);
    const LayerOutput expected = c.call(behind_relu, {.observe = true});
    for (const bool observe : {false, true}) {
      const LayerOutput got = c.call(c.layer, {.relu_input = true, .observe = observe});
      EXPECT_EQ(first_difference(got.y, expected.y), "");
      EXPECT_EQ(first_difference(got.x_codes, expected.x_codes), "");
      EXPECT_EQ(first_difference(got.x_range, observe ? expected.x_range : at::empty({0})), "");
      EXPECT_EQ(values_of<std::uint8_t>(got.clip_mask), oracle_mask(c.layer));
      EXPECT_FALSE(got.saw_nan.item<bool>());
    }
  }
}

TEST_F(LayerOptionsOp, ReluInputHasTheGradientsOfTheCompositionToTheBit) {
  for (const BackwardMode backward : {BackwardMode::kFloat32, BackwardMode::kBfloat16}) {
    for (const LayerCase& c : layer_cases(random_)) {
      SCOPED_TRACE(c10::str(c.why, ", backward ", backward_text(backward)));
      const Layer folded = with_grad(c.layer), composed = with_grad(c.layer);
      const Tensor y = c.call(folded, {.relu_input = true, .backward = backward}).y;
      Layer behind_relu = composed;
      behind_relu.x = at::relu(composed.x);
      const Tensor expected_y = c.call(behind_relu, {.backward = backward}).y;
      const Tensor grad_y = at::randn(y.sizes());
      const auto got = gradients_of(y, folded, grad_y);
      expect_same_tensors(got, gradients_of(expected_y, composed, grad_y));
      EXPECT_GE((got[0] == 0).sum().item<std::int64_t>(), (c.layer.x <= 0).sum().item<std::int64_t>());
    }
  }
}

TEST_F(LayerOptionsOp, ReluInputReportsANaNAndGivesItTheCodeOf0) {
  for (const LayerCase& c : layer_cases(random_)) {
    SCOPED_TRACE(c.why);
    Layer layer = c.layer;
    layer.x = c.layer.x.clone();
    layer.x.flatten()[7] = kNaN;
    const LayerOutput out = c.call(layer, {.relu_input = true});
    EXPECT_TRUE(out.saw_nan.item<bool>());
    layer.x.flatten()[7] = 0.0f;
    EXPECT_EQ(first_difference(out.y, c.call(layer, {.relu_input = true}).y), "");
  }
}

TEST_F(LayerOptionsOp, ObserveTellsTheRangeOfXAndChangesNothingElse) {
  for (const LayerCase& c : layer_cases(random_)) {
    SCOPED_TRACE(c.why);
    const LayerOutput plain = c.call(c.layer, {}), observed = c.call(c.layer, {.observe = true});
    EXPECT_EQ(plain.x_range.numel(), 0);
    EXPECT_EQ(first_difference(observed.x_range, at::stack({c.layer.x.min(), c.layer.x.max()})), "");
    expect_same_tensors({observed.y, observed.x_codes, observed.clip_mask, observed.saw_nan},
                        {plain.y, plain.x_codes, plain.clip_mask, plain.saw_nan});
  }
}

TEST_F(LayerOptionsOp, ObserveLeavesNaNsOutOfTheRange) {
  const LayerCase c = layer_cases(random_).front();
  Layer layer = c.layer;
  layer.x = at::full({2, 37}, kNaN);
  layer.x[1][3] = 2.5f;
  layer.x[0][30] = -1.5f;
  const LayerOutput out = c.call(layer, {.observe = true});
  EXPECT_TRUE(out.saw_nan.item<bool>());
  EXPECT_EQ(first_difference(out.x_range, tensor_of({-1.5f, 2.5f}, {2})), "");
  EXPECT_EQ(first_difference(c.call(layer, {.relu_input = true, .observe = true}).x_range,
                             tensor_of({0.0f, 2.5f}, {2})),
            "");
}

TEST_F(LayerOptionsOp, ObserveHasTheSameRangeWith1And2Threads) {
  const Layer layer = random_layer(random_, kernels::kWeightKinds[0], 8, 200, {1000, 200});
  const auto [one, two] = with_1_and_2_threads([&] {
    return linear(layer.x, layer.weight, layer.bias, layer.x_grid, layer.weight_grid,
                  {.relu_input = true, .observe = true});
  });
  expect_same_tensors({two.y, two.x_codes, two.clip_mask, two.x_range},
                      {one.y, one.x_codes, one.clip_mask, one.x_range});
}

TEST_F(LayerOptionsOp, SayWhichBackwardIsNone) {
  expect_errors({{"[linear] backward: expected f32, bf16 or int8, got \"fp8\"",
                  [] { backward_mode("linear", "fp8"); }}});
}

}  // namespace
}  // namespace samebits::ops
