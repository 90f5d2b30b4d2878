// What the tests of linear and conv2d share: random layers of every kind of weight, in the operators' terms
// and in the oracle's, and the weight and input as a float layer would see them.
#pragma once

#include "csrc/layers/layer.h"
#include "tests/csrc/op_test.h"
#include "tests/kernels/layers.h"

namespace samebits::ops {

using kernels::Random;
using kernels::WeightKind;

/// kWeightKinds, and every width from 2 to 8 bits per channel, symmetric and affine.
inline std::vector<WeightKind> all_weight_kinds() {
  std::vector<WeightKind> kinds(std::begin(kernels::kWeightKinds), std::end(kernels::kWeightKinds));
  for (int bits = 2; bits <= 8; ++bits) {
    const std::int32_t half = 1 << (bits - 1);
    kinds.push_back({"symmetric per channel", -half, half - 1, false, true, 0});
    if (bits < 8) kinds.push_back({"affine per channel", -half, half - 1, false, false, 0});
  }
  return kinds;
}
inline std::string describe(const WeightKind& kind) {
  return c10::str(kind.why, ", ", kind.qmin, "..", kind.qmax);
}

/// The arguments of a call, and the same for the oracle.
struct Layer {
  Tensor x, weight;
  std::optional<Tensor> bias;
  ActivationGrid x_grid;
  WeightGrid weight_grid;
  oracle::Grid x_oracle;
  oracle::Weights weight_oracle;

  std::vector<std::int8_t> x_codes() const {
    std::vector<std::int8_t> codes;
    for (const float value : values_of<float>(x))
      codes.push_back(static_cast<std::int8_t>(oracle::code(value, x_oracle)));
    return codes;
  }
  std::vector<float> bias_values() const {
    return bias.has_value() ? values_of<float>(*bias) : std::vector<float>();
  }
};

/// A weight of n rows of k whose values lie between the grid's, some of them outside of it: `weight_oracle`
/// holds the codes they must get.
inline void fill_weight(Random& random, const WeightKind& kind, std::int64_t n, std::int64_t k,
                        Layer& layer) {
  oracle::Weights& weights = layer.weight_oracle = kernels::random_weights(random, kind, n, k);
  std::vector<float> reals(n * k);
  for (std::int64_t i = 0; i < n * k; ++i) {
    const std::int64_t grid = weights.index(i / k, i % k);
    const int zero_point = weights.zero_point.empty() ? 0 : weights.zero_point[grid];
    const float overshoot = kernels::random_int(random, 0, 9) == 0 ? 1.3f : 1.0f;
    const float jitter = kernels::random_floats(random, 1, 0.6f)[0];
    reals[i] = (static_cast<float>(weights.codes[i] - zero_point) * overshoot + jitter) * weights.scale[grid];
    weights.codes[i] = static_cast<std::int8_t>(
        oracle::code(reals[i], {weights.scale[grid], zero_point, kind.qmin, kind.qmax}));
  }
  std::vector<std::int64_t> grid_shape = {std::ssize(weights.scale)};
  if (kind.group_size > 0) grid_shape = {n, weights.groups()};
  layer.weight = tensor_of(reals, {n, k});
  layer.weight_grid = {tensor_of(weights.scale, grid_shape), std::nullopt, kind.qmin, kind.qmax,
                       kind.group_size};
  if (!kind.symmetric)
    layer.weight_grid.zero_point = at::tensor(weights.zero_point, at::kInt).reshape(grid_shape);
}

/// A layer whose input has `x_shape`; a tenth of it leaves the grid.
inline Layer random_layer(Random& random, const WeightKind& kind, std::int64_t n, std::int64_t k,
                          const std::vector<std::int64_t>& x_shape) {
  Layer layer;
  const auto grids = std::ssize(kernels::kActivationGrids);
  layer.x_oracle = kernels::to_oracle(kernels::kActivationGrids[kernels::random_int(random, 0, grids - 1)]);
  const oracle::Grid& grid = layer.x_oracle;
  layer.x_grid = {at::full({1}, grid.scale), at::full({1}, grid.zero_point, at::kInt), grid.qmin, grid.qmax};
  const float low = oracle::dequantize(grid.qmin, grid), high = oracle::dequantize(grid.qmax, grid);
  layer.x = (at::rand(x_shape) * 1.1 - 0.05) * (high - low) + low;
  fill_weight(random, kind, n, k, layer);
  if (kernels::random_int(random, 0, 2) != 0)
    layer.bias = tensor_of(kernels::random_floats(random, n, 3.0f), {n});
  return layer;
}

/// x and weight on their grids with straight-through gradients, by torch alone.
inline Tensor surrogate_x(const Layer& layer, const Tensor& x) {
  return Surrogate::apply(x, layer.x_grid.scale, layer.x_grid.zero_point, layer.x_grid.qmin,
                          layer.x_grid.qmax);
}
inline Tensor surrogate_weight(const Layer& layer, const Tensor& weight) {
  const WeightGrid& grid = layer.weight_grid;
  const auto expanded = [&](const Tensor& values) {
    if (values.numel() == 1) return values;
    if (grid.group_size > 0) return values.repeat_interleave(grid.group_size, 1).narrow(1, 0, weight.size(1));
    std::vector<std::int64_t> shape(weight.dim(), 1);
    shape[0] = weight.size(0);
    return values.reshape(shape);
  };
  const Tensor zero_point = grid.zero_point.value_or(at::zeros_like(grid.scale, at::kInt));
  return Surrogate::apply(weight, expanded(grid.scale), expanded(zero_point), grid.qmin, grid.qmax);
}

/// The bias gradient of grad_y [rows, n]: blocks of 64 rows, each summed on its own, then added ascending.
inline Tensor column_sums_of(const Tensor& grad_y) {
  const std::int64_t m = grad_y.size(0), n = grad_y.size(1);
  const std::vector<float> block_sums = oracle::block_sums(values_of<float>(grad_y), m, n);
  std::vector<float> sums(n, 0.0f);
  for (std::size_t i = 0; i < block_sums.size(); ++i) sums[i % n] = oracle::add(sums[i % n], block_sums[i]);
  return tensor_of(sums, {n});
}

/// How many elements of x and of the weight get no gradient.
struct Clipped {
  std::int64_t x, weight;
};
inline Clipped clipped(const Layer& layer) {
  const Tensor x = layer.x.detach().requires_grad_(), weight = layer.weight.detach().requires_grad_();
  (surrogate_x(layer, x).sum() + surrogate_weight(layer, weight).sum()).backward();
  return {(x.grad() == 0).sum().item<std::int64_t>(), (weight.grad() == 0).sum().item<std::int64_t>()};
}

/// The checks on the arguments that every layer has. `call` calls the operator; `right` is a layer of
/// kWeightKinds[0] with 2 outputs.
template <class Call>
void expect_layer_errors(const std::string& op, const Layer& right, Call call) {
  Layer layer = right;
  layer.x_grid = {at::ones({1}), at::zeros({1}, at::kInt), -128, 127};
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              infinity = std::numeric_limits<float>::infinity();
  const std::string observe = "; observe at least one batch before quantizing";
  const auto changed = [&](auto change) {
    return [=] {
      Layer copy = layer;
      change(copy);
      call(copy);
    };
  };
  const auto ints = [](std::vector<std::int64_t> values) { return at::tensor(values, at::kInt); };
  std::vector<ErrorCase> cases = {
      {"x: expected float32, got float64; call .to(torch::kFloat)",
       changed([](Layer& l) { l.x = l.x.to(at::kDouble); })},
      {"weight: expected float32, got bfloat16; call .to(torch::kFloat)",
       changed([](Layer& l) { l.weight = l.weight.to(at::kBFloat16); })},
      {"bias: expected float32, got float64; call .to(torch::kFloat)",
       changed([](Layer& l) { l.bias = at::zeros({2}, at::kDouble); })},
      {"bias: expected 2 values, one an output, got shape [3]",
       changed([](Layer& l) { l.bias = at::zeros({3}); })},
      {"bias: expected 2 values, one an output, got shape [1, 2]", changed([](Layer& l) {
         l.bias = at::zeros({1, 2});
       })},
      {"x_scale: expected 1 value, got 2", changed([](Layer& l) { l.x_grid.scale = at::ones({2}); })},
      {"x_scale: expected float32, got float64; call .to(torch::kFloat)",
       changed([](Layer& l) { l.x_grid.scale = at::ones({1}, at::kDouble); })},
      {"x_scale: expected a finite value >= 2^-126, got 0" + observe,
       changed([](Layer& l) { l.x_grid.scale = at::zeros({1}); })},
      {"x_scale: expected a finite value >= 2^-126, got nan" + observe,
       changed([=](Layer& l) { l.x_grid.scale = at::full({1}, nan); })},
      {"x_zero_point: expected int32, got int64; call .to(torch::kInt)",
       changed([](Layer& l) { l.x_grid.zero_point = at::zeros({1}, at::kLong); })},
      {"x_zero_point: expected a value in -128..127, got 128",
       changed([=](Layer& l) { l.x_grid.zero_point = ints({128}); })},
      {"x_qmin, x_qmax: expected -128 <= qmin < qmax <= 127, got 0 and 255", changed([](Layer& l) {
         l.x_grid.qmin = 0;
         l.x_grid.qmax = 255;
       })},
      {"weight_scale: expected 1 value or 2 (one a channel of axis 0), got 3",
       changed([](Layer& l) { l.weight_grid.scale = at::ones({3}); })},
      {"weight_scale: expected float32, got float64; call .to(torch::kFloat)",
       changed([](Layer& l) { l.weight_grid.scale = at::ones({1}, at::kDouble); })},
      {"weight_scale: expected a finite value >= 2^-126, got inf" + observe,
       changed([=](Layer& l) { l.weight_grid.scale = at::full({1}, infinity); })},
      {"weight_qmin, weight_qmax: expected -128 <= qmin < qmax <= 127, got -129 and 127",
       changed([](Layer& l) { l.weight_grid.qmin = -129; })},
      {"weight_zero_point: expected 2 values, as many as scale, got 1",
       changed([=](Layer& l) { l.weight_grid.zero_point = ints({0}); })},
      {"weight_zero_point: expected at most 7-bit codes for an affine weight, got the range -127..127; use 7 "
       "bits or a "
       "symmetric grid",
       changed([=](Layer& l) {
         l.weight_grid.zero_point = ints({0, 0});
       })},
      {"weight_zero_point: expected a value in -8..7, got 8", changed([=](Layer& l) {
         l.weight_grid.qmin = -8;
         l.weight_grid.qmax = 7;
         l.weight_grid.zero_point = ints({0, 8});
       })},
      {"weight: expected finite values, got NaN", changed([=](Layer& l) {
         l.weight = l.weight.clone();
         l.weight.flatten()[1] = nan;
       })},
  };
  for (ErrorCase& c : cases) c.expected = "[" + op + "] " + c.expected;
  expect_errors(cases);
}

}  // namespace samebits::ops
