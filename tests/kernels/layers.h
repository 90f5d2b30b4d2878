// Random weights and layers for the tests of linear and conv2d, in the oracle's terms and in the kernels'.
#pragma once

#include <algorithm>
#include <vector>

#include "kernels/matmul/linear.h"
#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {

/// How weights are quantized.
struct WeightKind {
  const char* why;
  std::int32_t qmin, qmax;
  bool per_tensor, symmetric;
  std::int64_t group_size;  // 0: no groups
};

/// Kinds without groups come first: conv2d takes those.
inline const WeightKind kWeightKinds[] = {
    {"int8 per channel, narrow", -127, 127, false, true, 0},
    {"int8 per tensor, full range", -128, 127, true, true, 0},
    {"int4 per channel, symmetric", -8, 7, false, true, 0},
    {"int4 per channel, affine", -8, 7, false, false, 0},
    {"int4 per tensor, affine", -8, 7, true, false, 0},
    {"int2 per channel", -2, 1, false, true, 0},
    {"int4 in groups of 32", -8, 7, false, true, 32},
    {"int4 in groups of 32, affine", -8, 7, false, false, 32},
    {"int8 in groups of 16", -127, 127, false, true, 16},
    {"one group longer than the row", -8, 7, false, false, 128},
};

inline oracle::Weights random_weights(Random& random, const WeightKind& kind, std::int64_t n,
                                      std::int64_t k) {
  oracle::Weights weights{.n = n, .k = k, .group_size = kind.group_size};
  weights.codes = random_codes(random, n * k, kind.qmin, kind.qmax);
  const std::int64_t grids = kind.per_tensor ? 1 : n * weights.groups();
  for (std::int64_t i = 0; i < grids; ++i) {
    weights.scale.push_back(0.02f + random_floats(random, 1, 0.015f)[0]);
    if (!kind.symmetric)
      weights.zero_point.push_back(static_cast<std::int32_t>(random_int(random, kind.qmin, kind.qmax)));
  }
  return weights;
}

/// The weight as the kernels read it: centered by the definition, packed whole.
inline PackedWeight pack(const oracle::Weights& weights, WeightOrder order = WeightOrder::kGemm) {
  std::vector<std::int8_t> centered(weights.codes.size());
  for (std::int64_t i = 0; i < std::ssize(centered); ++i)
    centered[i] = static_cast<std::int8_t>(weights.centered(i / weights.k, i % weights.k));
  PackedWeight packed = allocate_packed_weight(order, weights.n, weights.k, weights.group_size);
  if (order == WeightOrder::kInt4) {
    const std::int32_t* zero_point = weights.zero_point.empty() ? nullptr : weights.zero_point.data();
    if (zero_point != nullptr) packed.zero_levels.resize(packed.scale.size());
    pack_int4_rows(weights.codes.data(), weights.scale.data(), zero_point, 0, weights.n, packed);
    return packed;
  }
  const bool one_for_all = weights.scale.size() == 1 && weights.n * weights.groups() != 1;
  pack_weight_rows(centered.data(), {weights.scale.data(), one_for_all}, 0, weights.n, packed);
  return packed;
}

/// The orders in which linear() may read a weight.
inline std::vector<WeightOrder> linear_orders(const oracle::Weights& weights) {
  const auto fits = [](std::int8_t code) { return kInt4Qmin <= code && code <= kInt4Qmax; };
  std::vector<WeightOrder> orders = {WeightOrder::kGemm};
  if (std::ssize(weights.scale) == weights.n * weights.groups() && std::ranges::all_of(weights.codes, fits))
    orders.push_back(WeightOrder::kInt4);
  return orders;
}

/// Grids of the activations: affine, symmetric, a zero point at either end.
inline const AffineGrid kActivationGrids[] = {{.scale = 0.037f, .zero_point = -11},
                                              {.scale = 0.1f},
                                              {.scale = 0.021f, .zero_point = -128},
                                              {.scale = 0.3f, .zero_point = 127},
                                              {.scale = 0.5f, .zero_point = 0, .qmin = -8, .qmax = 7}};

}  // namespace samebits::kernels
