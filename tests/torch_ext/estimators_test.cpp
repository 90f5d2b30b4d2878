// torch_ext/quantizer/estimators against their papers' formulas, element by element in plain double loops;
// and against the numeric derivative of the function whose gradient each of them is, where there is one.
#include "torch_ext/quantizer/estimators/estimator.h"

#include <cmath>
#include <numbers>

#include "csrc/quantize/fake_quantize.h"
#include "tests/torch_ext/models.h"

namespace samebits {
namespace {

using torch::Tensor;

/// A grid of one element, in double.
struct Point {
  double scale, zero_point, qmin, qmax;
  double low() const { return qmin - zero_point; }
  double high() const { return qmax - zero_point; }
};

/// What one element with the gradient 1 or -1 gives to x, to the scale and to the zero point.
struct Terms {
  double x = 0, scale = 0, zero_point = 0;
};

Terms ste(double v, double g, const Point& p) {
  const double steps = std::nearbyint(v);
  return {.x = steps < p.low() || steps > p.high() ? 0 : g};
}

Terms lsq(double v, double g, const Point& p) {
  const double steps = std::nearbyint(v);
  if (steps < p.low()) return {0, g * p.low(), -g * p.scale};
  if (steps > p.high()) return {0, g * p.high(), -g * p.scale};
  return {g, g * (steps - v), 0};
}

Terms pact(double v, double g, const Point& p) {
  if (v < p.low()) return {.x = 0, .scale = g * p.low()};
  if (v >= p.high()) return {.x = 0, .scale = g * p.high()};
  return {.x = g};
}

constexpr double kDelta = 0.4;
Terms ewgs(double v, double g, const Point& p) {
  const Terms passed = ste(v, g, p);
  return {.x = passed.x * (1 + kDelta * (g > 0 ? 1 : -1) * (v - std::nearbyint(v)))};
}

/// The functions of x, scale and zero point whose gradients these are: what the quantizer computes, when
/// rounding adds `residual` whatever the values.
double clipped(double v, const Point& p, double residual) {
  return std::clamp(v + residual + p.zero_point, p.qmin, p.qmax) - p.zero_point;
}
double surrogate_of_lsq(double x, const Point& p, double residual) {
  return p.scale * clipped(x / p.scale, p, residual);
}
double surrogate_of_pact(double x, const Point& p, double) {
  return std::clamp(x, p.low() * p.scale, p.high() * p.scale);
}

struct Method {
  EstimatorKind kind;
  LearnedPart learned;
  bool has_gradient_factor;  // 1 / sqrt(elements * qmax) for what is learned
  Terms (*formula)(double v, double g, const Point& point);
  double (*surrogate)(double x, const Point& point, double residual);  // null: none
};

const Method kMethods[] = {
    {EstimatorKind::kSte, LearnedPart::kNothing, false, ste, surrogate_of_lsq},
    {EstimatorKind::kDorefa, LearnedPart::kNothing, false, ste, surrogate_of_lsq},
    {EstimatorKind::kLsq, LearnedPart::kScale, true, lsq, surrogate_of_lsq},
    {EstimatorKind::kLsqPlus, LearnedPart::kScaleAndZeroPoint, true, lsq, surrogate_of_lsq},
    {EstimatorKind::kPact, LearnedPart::kScale, false, pact, surrogate_of_pact},
    {EstimatorKind::kEwgs, LearnedPart::kNothing, false, ewgs, nullptr},
};

std::unique_ptr<Estimator> estimator_of(EstimatorKind kind) {
  LayerConfig config;
  config.estimator = kind;
  config.ewgs_delta = kDelta;
  return make_estimator(config);
}

/// What shares a scale: all, a row, or 32 elements of a row of 70.
struct Layout {
  const char* why;
  std::vector<std::int64_t> scales;
  std::int64_t group_size;
  std::int64_t grid_of(std::int64_t i) const {
    if (scales[0] == 1) return 0;
    return group_size == 0 ? i / 70 : i / 70 * 3 + i % 70 / 32;
  }
};
const Layout kLayouts[] = {{"per tensor", {1}, 0}, {"per channel", {6}, 0}, {"groups", {6, 3}, 32}};

/// Values of which some are clipped on either side, on grids of 4 bits.
struct Example {
  Tensor values = 2 * torch::randn({6, 70}), grad = torch::randn({6, 70});
  Tensor scale, zero_point;
  std::vector<std::int64_t> counts;

  Example(const Layout& layout, bool has_zero_point) {
    scale = 0.2 + 0.3 * torch::rand(layout.scales);
    zero_point = has_zero_point ? torch::randint(-5, 4, layout.scales, torch::kInt)
                                : torch::zeros(layout.scales, torch::kInt);
    counts.resize(scale.numel());
    for (std::int64_t i = 0; i < values.numel(); ++i) ++counts[layout.grid_of(i)];
  }
  Point point(std::int64_t grid) const {
    return {double{scale.view(-1).const_data_ptr<float>()[grid]},
            static_cast<double>(zero_point.view(-1).const_data_ptr<int>()[grid]), -8, 7};
  }
};

std::vector<double> doubles(const Tensor& tensor) {
  const Tensor plain = tensor.to(torch::kDouble).contiguous();
  return {plain.const_data_ptr<double>(), plain.const_data_ptr<double>() + plain.numel()};
}

void expect_near(const Tensor& got, const std::vector<double>& expected) {
  const std::vector<double> values = doubles(got);
  ASSERT_EQ(values.size(), expected.size());
  for (std::size_t i = 0; i < values.size(); ++i)
    ASSERT_NEAR(values[i], expected[i], 2e-5 * (1 + std::abs(expected[i]))) << i;
}

/// Of quantized(): the reals and the gradients of sum(grad * reals).
struct Result {
  Tensor reals, grad_values, grad_scale, grad_zero_point;
};
Result run(const Method& method, const Example& example, const Layout& layout) {
  const auto estimator = estimator_of(method.kind);
  EXPECT_EQ(estimator->learned(Operand::kInput), method.learned);
  const Tensor values = example.values.clone().requires_grad_();
  const Tensor scale = example.scale.clone().requires_grad_();
  const bool trains_zero = method.learned == LearnedPart::kScaleAndZeroPoint;
  const Tensor zero_point =
      trains_zero ? example.zero_point.to(torch::kFloat).requires_grad_() : example.zero_point;
  const Tensor reals = estimator->quantized(values, {scale, zero_point, -8, 7, layout.group_size});
  (reals * example.grad).sum().backward();
  return {reals.detach(), values.grad(), scale.grad(), trains_zero ? zero_point.grad() : Tensor()};
}

TEST(Estimators, GiveTheRealsOfTheExactQuantizer) {
  torch::manual_seed(1);
  for (const Method& method : kMethods)
    for (const Layout& layout : kLayouts) {
      SCOPED_TRACE(c10::str(estimator_name(method.kind), ", ", layout.why));
      const Example example(layout, true);
      const auto [expected, mask, saw_nan] =
          ops::fake_quantize(example.values, example.scale, example.zero_point, -8, 7, 0, layout.group_size);
      EXPECT_TRUE(same_bits(run(method, example, layout).reals, expected));
      EXPECT_GT(mask.ne(0).sum().item<std::int64_t>(), 0);  // something is clipped
    }
}

TEST(Estimators, HaveTheGradientsOfTheirPapers) {
  torch::manual_seed(2);
  for (const Method& method : kMethods)
    for (const Layout& layout : kLayouts) {
      SCOPED_TRACE(c10::str(estimator_name(method.kind), ", ", layout.why));
      const Example example(layout, true);
      const std::vector<double> x = doubles(example.values), g = doubles(example.grad);
      std::vector<double> grad_x, grad_scale(example.scale.numel()), grad_zero(example.scale.numel());
      for (std::size_t i = 0; i < x.size(); ++i) {
        const std::int64_t grid = layout.grid_of(static_cast<std::int64_t>(i));
        const Point p = example.point(grid);
        const Terms terms = method.formula(x[i] / p.scale, g[i], p);
        const double factor =
            method.has_gradient_factor ? 1 / std::sqrt(static_cast<double>(example.counts[grid]) * 7) : 1;
        grad_x.push_back(terms.x);
        grad_scale[grid] += factor * terms.scale;
        grad_zero[grid] += factor * terms.zero_point;
      }
      const Result got = run(method, example, layout);
      expect_near(got.grad_values, grad_x);
      if (method.learned != LearnedPart::kNothing) expect_near(got.grad_scale, grad_scale);
      if (method.learned == LearnedPart::kScaleAndZeroPoint) expect_near(got.grad_zero_point, grad_zero);
    }
}

TEST(Estimators, AreTheGradientsOfTheirSurrogates) {
  torch::manual_seed(3);
  constexpr double kStep = 1e-7;
  const Layout& layout = kLayouts[1];
  for (const Method& method : kMethods) {
    if (method.surrogate == nullptr) continue;
    SCOPED_TRACE(estimator_name(method.kind));
    const Example example(layout, true);
    const std::vector<double> x = doubles(example.values), g = doubles(example.grad);
    std::vector<double> grad_x, grad_scale(6), grad_zero(6);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const std::int64_t grid = layout.grid_of(static_cast<std::int64_t>(i));
      const Point p = example.point(grid);
      const double v = x[i] / p.scale, residual = std::nearbyint(v) - v;
      const auto slope = [&](double dx, double ds, double dz) {
        const auto at = [&](double sign) {
          const Point moved{p.scale + sign * ds, p.zero_point + sign * dz, p.qmin, p.qmax};
          return method.surrogate(x[i] + sign * dx, moved, residual);
        };
        return g[i] * (at(1) - at(-1)) / (2 * kStep);
      };
      // An end of the codes is a kink of the function: inside counts there.
      const double steps = std::nearbyint(v);
      const bool is_end = method.surrogate == surrogate_of_lsq && (steps == p.low() || steps == p.high());
      const double factor =
          method.has_gradient_factor ? 1 / std::sqrt(static_cast<double>(example.counts[grid]) * 7) : 1;
      const Terms inside = method.formula(v, g[i], p);
      grad_x.push_back(is_end ? inside.x : slope(kStep, 0, 0));
      grad_scale[grid] += factor * (is_end ? inside.scale : slope(0, kStep, 0));
      grad_zero[grid] += factor * (is_end ? inside.zero_point : slope(0, 0, kStep));
    }
    const Result got = run(method, example, layout);
    expect_near(got.grad_values, grad_x);
    if (method.learned != LearnedPart::kNothing) expect_near(got.grad_scale, grad_scale);
    if (method.learned == LearnedPart::kScaleAndZeroPoint) expect_near(got.grad_zero_point, grad_zero);
  }
}

TEST(Dorefa, QuantizesTheHyperbolicTangentOfAWeight) {
  torch::manual_seed(4);
  const auto dorefa = estimator_of(EstimatorKind::kDorefa);
  const Tensor weight = torch::randn({5, 9}).requires_grad_(), grad = torch::randn({5, 9});
  const Tensor transformed = dorefa->transformed(weight);
  std::vector<double> expected, expected_grad;
  const std::vector<double> w = doubles(weight.detach()), g = doubles(grad);
  for (std::size_t i = 0; i < w.size(); ++i) {
    expected.push_back(std::tanh(w[i]));
    expected_grad.push_back(g[i] * (std::tanh(w[i] + 1e-6) - std::tanh(w[i] - 1e-6)) / 2e-6);
  }
  expect_near(transformed.detach(), expected);
  expect_near(torch::autograd::grad({transformed}, {weight}, {grad})[0], expected_grad);
}

TEST(Dorefa, HasTheCodesOfThePapersNormedWeight) {
  torch::manual_seed(5);
  const Tensor weight = torch::randn({40, 25});
  const Tensor transformed = estimator_of(EstimatorKind::kDorefa)->transformed(weight);
  const Tensor scale = (transformed.abs().max() / 7).view({1});
  const Tensor zero = torch::zeros({1}, torch::kInt);
  const Tensor codes = std::get<0>(ops::fake_quantize(transformed, scale, zero, -8, 7)) / scale;
  const Tensor tanh = weight.to(torch::kDouble).tanh();
  const Tensor papers = (tanh / tanh.abs().max() * 7).round();
  EXPECT_EQ((codes.round() - papers).ne(0).sum().item<std::int64_t>(), 0);
}

TEST(OtherEstimators, QuantizeTheWeightItself) {
  const Tensor weight = torch::randn({3, 4});
  for (const Method& method : kMethods) {
    if (method.kind == EstimatorKind::kDorefa) continue;
    EXPECT_TRUE(estimator_of(method.kind)->transformed(weight).is_same(weight))
        << estimator_name(method.kind);
  }
}

TEST(Estimators, PassNoGradientWhereAValueIsNoNumber) {
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              infinity = std::numeric_limits<float>::infinity();
  for (const Method& method : kMethods) {
    SCOPED_TRACE(estimator_name(method.kind));
    const Tensor values = torch::tensor({nan, infinity, -infinity, 0.25f}).requires_grad_();
    const Tensor scale = torch::ones({1}).requires_grad_();
    const Tensor reals =
        estimator_of(method.kind)->quantized(values, {scale, torch::zeros({1}, torch::kInt), -8, 7, 0});
    EXPECT_EQ(doubles(reals.detach()), (std::vector<double>{0, 7, -8, 0}));
    reals.sum().backward();
    EXPECT_EQ(doubles(values.grad().slice(0, 0, 3)), (std::vector<double>{0, 0, 0}));
    EXPECT_NE(values.grad()[3].item<float>(), 0);
    if (scale.grad().defined()) {
      EXPECT_TRUE(std::isfinite(scale.grad().item<float>()));
    }
  }
}

}  // namespace
}  // namespace samebits
