// csrc/quantize/fake_quantize_learned.h against LSQ+ written in torch's own double operators, against
// fake_quantize, and by bits over threads.
#include "csrc/quantize/fake_quantize_learned.h"

#include "tests/csrc/op_test.h"

namespace samebits::ops {
namespace {

class FakeQuantizeLearned : public OpTest {};

/// x's grids, each in the shape of x.
Tensor expanded(const Tensor& values, const Layout& layout) {
  const Tensor flat = values.reshape({-1}), result = at::empty(layout.shape, values.options());
  for (std::int64_t i = 0; i < result.numel(); ++i) result.view({-1})[i] = flat[layout.grid_index(i)];
  return result;
}

/// The sums of `terms` over the elements of each grid, times 1 / sqrt(N * qmax), in double.
Tensor summed_by_grid(const Tensor& terms, const Tensor& like, const Layout& layout, std::int64_t qmax) {
  const Tensor sums = at::zeros({like.numel()}, at::kDouble), counts = at::zeros({like.numel()}, at::kDouble);
  const Tensor flat = terms.reshape({-1});
  for (std::int64_t i = 0; i < flat.numel(); ++i) {
    sums[layout.grid_index(i)] += flat[i];
    counts[layout.grid_index(i)] += 1;
  }
  return (sums / at::sqrt(at::clamp_min(counts, 1) * static_cast<double>(qmax))).reshape(like.sizes());
}

TEST_F(FakeQuantizeLearned, HasTheGradientsOfLsqPlusInEveryLayout) {
  const CodeRange range{-8, 7};
  for (const Layout& layout : kLayouts) {
    const GridTensors grids(layout, range);
    const Tensor values = values_for(layout, range), grad_y = at::randn(layout.shape);
    const Tensor s = expanded(grids.scale, layout).to(at::kDouble);
    const Tensor z = expanded(grids.zero_point, layout).to(at::kDouble), x64 = values.to(at::kDouble);
    const Tensor position = at::round(values / s.to(at::kFloat)).to(at::kDouble) + z;
    const Tensor inside = at::logical_and(position >= range.qmin, position <= range.qmax);
    const Tensor steps = at::clamp(position, range.qmin, range.qmax) - z;
    const Tensor slope = at::where(inside, steps - x64 / s, steps), g = grad_y.to(at::kDouble);
    const Tensor grad_scale = summed_by_grid(g * slope, grids.scale, layout, range.qmax);
    const Tensor grad_zero =
        summed_by_grid(at::where(inside, g * 0, -s * g), grids.scale, layout, range.qmax);
    for (const auto& [why, memory] : memory_layouts(values)) {
      SCOPED_TRACE(c10::str(layout.why, ", ", why));
      const Tensor x = memory.detach().requires_grad_();
      const Tensor scale = grids.scale.detach().requires_grad_();
      const Tensor zero_point = (grids.zero_point + 0.25f).to(at::kFloat).detach().requires_grad_();
      const auto [y, clip_mask, saw_nan] =
          fake_quantize_learned(x, scale, zero_point, -8, 7, layout.axis, layout.group_size);
      const auto [expected_y, expected_mask, no_nan] =
          fake_quantize(memory, grids.scale, grids.zero_point, -8, 7, layout.axis, layout.group_size);
      EXPECT_EQ(first_difference(y, expected_y), "");
      EXPECT_EQ(first_difference(clip_mask, expected_mask), "");
      const auto grads = torch::autograd::grad({y}, {x, scale, zero_point}, {grad_y});
      EXPECT_EQ(first_difference(grads[0], at::where(inside, grad_y, at::zeros_like(grad_y))), "");
      EXPECT_TRUE(at::allclose(grads[1].to(at::kDouble), grad_scale, 1e-5, 1e-5)) << grads[1] << grad_scale;
      EXPECT_TRUE(at::allclose(grads[2].to(at::kDouble), grad_zero, 1e-5, 1e-6)) << grads[2] << grad_zero;
      EXPECT_EQ(grads[1].sizes(), scale.sizes());
    }
  }
}

TEST_F(FakeQuantizeLearned, FollowsTheSlopeOfARoundingThatIsHeldFixed) {
  // With the rounding and clipping of each element held fixed, y is linear in scale: a finite difference of
  // it, in double, is the gradient up to the factor.
  const Tensor x = at::randn({64}), scale = at::full({1}, 0.2f).requires_grad_();
  const Tensor zero_point = at::zeros({1}, at::kInt);
  const Tensor y = std::get<0>(fake_quantize_learned(x, scale, zero_point, -4, 3));
  const double got = torch::autograd::grad({y.sum()}, {scale})[0].item<double>();
  const double s = scale.item<float>(), step = 1e-6;
  const Tensor v = x.to(at::kDouble) / s, rounding = at::round(v) - v;
  const auto surrogate = [&](double moved) {
    const Tensor r = x.to(at::kDouble) / moved + rounding;
    const Tensor inside = at::logical_and(at::round(v) >= -4, at::round(v) <= 3);
    return (at::where(inside, r, at::clamp(at::round(v), -4, 3)) * moved).sum().item<double>();
  };
  const double slope = (surrogate(s + step) - surrogate(s - step)) / (2 * step);
  EXPECT_NEAR(got, slope / std::sqrt(64.0 * 3.0), 1e-4);
}

TEST_F(FakeQuantizeLearned, KeepsAFixedZeroPointWithoutAGradientAndLimitsATrainedOne) {
  const Tensor x = at::randn({32}), scale = at::full({1}, 0.1f).requires_grad_();
  const Tensor fixed = at::full({1}, 2, at::kInt);
  const Tensor y = std::get<0>(fake_quantize_learned(x, scale, fixed, -8, 7));
  EXPECT_TRUE(torch::autograd::grad({y.sum()}, {scale})[0].defined());
  for (const auto& [value, used] :
       std::vector<std::pair<float, int>>{{2.5f, 2}, {3.5f, 4}, {99.0f, 7}, {-99.0f, -8}}) {
    const Tensor trained = at::full({1}, value), integer = at::full({1}, used, at::kInt);
    EXPECT_EQ(first_difference(std::get<0>(fake_quantize_learned(x, scale, trained, -8, 7)),
                               std::get<0>(fake_quantize(x, scale, integer, -8, 7))),
              "")
        << value;
  }
}

TEST_F(FakeQuantizeLearned, GivesTheSameBitsWith1And2ThreadsInEveryType) {
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kHalf}) {
    const Tensor x = at::randn({300, 1001}).to(type), grad_y = at::randn({300, 1001}).to(type);
    for (const auto& [shape, axis] :
         std::vector<std::pair<std::vector<std::int64_t>, std::int64_t>>{{{1}, 0}, {{300}, 0}, {{1001}, 1}}) {
      SCOPED_TRACE(c10::str(type, ", ", shape));
      const Tensor scale = at::rand(shape) * 0.1 + 0.05, zero_point = at::randn(shape);
      const auto [one, two] = with_1_and_2_threads([&, axis = axis] {
        return fake_quantize_learned_backward(grad_y, x, scale, zero_point, -8, 7, axis);
      });
      EXPECT_EQ(first_difference(std::get<0>(two), std::get<0>(one)), "");
      EXPECT_EQ(first_difference(std::get<1>(two), std::get<1>(one)), "");
      EXPECT_EQ(first_difference(std::get<2>(two), std::get<2>(one)), "");
      EXPECT_EQ(std::get<0>(one).scalar_type(), type);
      EXPECT_EQ(std::get<1>(one).scalar_type(), at::kFloat);
    }
  }
}

TEST_F(FakeQuantizeLearned, SaysWhichArgumentIsWrong) {
  const Tensor x = at::randn({4}), one = at::ones({1}), zero = at::zeros({1}, at::kInt);
  const auto call = [=](const Tensor& values, const Tensor& scale, const Tensor& zero_point,
                        std::int64_t qmin = -8, std::int64_t qmax = 7) {
    return [=] { fake_quantize_learned(values, scale, zero_point, qmin, qmax); };
  };
  expect_errors({
      {"[fake_quantize_learned] x: expected float32, bfloat16 or float16, got float64; call "
       ".to(torch::kFloat)",
       call(x.to(at::kDouble), one, zero)},
      {"[fake_quantize_learned] zero_point: expected int32 (fixed) or float32 (trained), got int64; call "
       ".to(torch::kInt) or .to(torch::kFloat)",
       call(x, one, zero.to(at::kLong))},
      {"[fake_quantize_learned] qmax: expected a value > 0, got 0; the gradient of scale is divided by its "
       "root",
       call(x, one, zero, -8, 0)},
      {"[fake_quantize_learned] scale: expected a finite value >= 2^-126, got -1; start from an observed "
       "scale, and lower its learning rate",
       call(x, -one, zero)},
      {"[fake_quantize_learned] zero_point: expected a finite value, got nan; lower its learning rate",
       call(x, one, at::full({1}, std::numeric_limits<float>::quiet_NaN()))},
      {"[fake_quantize_learned_backward] grad_y: expected the shape of x, [4], got [3]",
       [=] { fake_quantize_learned_backward(x.slice(0, 0, 3), x, one, zero, -8, 7); }},
      {"[fake_quantize_learned_backward] grad_y: expected float32, got bfloat16; call .to(torch::kFloat)",
       [=] { fake_quantize_learned_backward(x.to(at::kBFloat16), x, one, zero, -8, 7); }},
  });
}

}  // namespace
}  // namespace samebits::ops
