// docs/numerics.md §13 and §14 written a second time: functions of one float and of rows. Fused steps are
// those of tests/float_oracle.h, other roundings those of tests/oracle.h, powers of two are exact, and sums
// are looked up lane by lane. Nothing of kernels/.
#pragma once

#include <cmath>
#include <initializer_list>
#include <limits>
#include <vector>

#include "tests/float_oracle.h"

namespace samebits::oracle {

inline float sqrt_of(float x) {
  return static_cast<float>(std::sqrt(double{x}));
}

/// Coefficients from the highest power down, a fused step each.
inline float polynomial(float x, std::initializer_list<float> coefficients) {
  float y = *coefficients.begin();
  for (const float* c = coefficients.begin() + 1; c != coefficients.end(); ++c) y = fma(y, x, *c);
  return y;
}

/// z = n log 2 + r.
struct Reduced {
  int n;
  float r;
};
inline Reduced reduce(float z) {
  const double n = round_half_even(double{z} * double{0x1.715476p+0f});  // the product is exact
  const auto minus_n = static_cast<float>(-n);
  return {static_cast<int>(n), fma(minus_n, 0x1.7f7d1cp-20f, fma(minus_n, 0x1.62e4p-1f, z))};
}
inline float exp_quotient(float r) {
  return polynomial(r, {0x1.6b77f4p-10f, 0x1.12267cp-7f, 0x1.555712p-5f, 0x1.5554b2p-3f, 0x1.fffffep-2f});
}
/// significand · 2^n, rounded once.
inline float scaled(float significand, int n) {
  return static_cast<float>(std::ldexp(double{significand}, n));
}
inline float clamped(float x, float low, float high) {
  return x < low ? low : x > high ? high : x;
}

inline float exp_of(float x) {
  if (std::isnan(x)) return one_nan(x);
  const auto [n, r] = reduce(clamped(x, -104, 89));
  return scaled(fma(fma(exp_quotient(r), r, 1), r, 1), n);
}

inline float log_of(float x) {
  if (std::isnan(x) || x < 0) return one_nan(std::numeric_limits<float>::quiet_NaN());
  if (x == 0) return -std::numeric_limits<float>::infinity();
  if (std::isinf(x)) return x;
  int exponent = 0;
  double significand = std::frexp(double{x}, &exponent);  // in [1/2, 1)
  // 0x3F3504F3, the float next to sqrt(1/2)
  if (significand < double{0x1.6a09e6p-1f}) significand *= 2, --exponent;
  const auto f = static_cast<float>(significand - 1), n = static_cast<float>(exponent);
  const float square = multiply(f, f);
  const float q = polynomial(f, {-0x1.38c346p-4f, 0x1.055d1ep-3f, -0x1.0d829ep-3f, 0x1.22d968p-3f,
                                 -0x1.547288p-3f, 0x1.99a01ap-3f, -0x1.000226p-2f, 0x1.555554p-2f});
  const float tail = fma(multiply(square, f), q, multiply(square, -0.5f));
  return fma(n, 0x1.62e4p-1f, add(f, fma(n, 0x1.7f7d1cp-20f, tail)));
}

inline float tanh_of(float x) {
  if (std::isnan(x)) return one_nan(x);
  const float magnitude = std::fmin(std::fabs(x), 9.1f);
  const auto [n, r] = reduce(add(magnitude, magnitude));
  const float half_power = scaled(0.5f, n), expm1 = fma(multiply(r, r), exp_quotient(r), r);
  const float h = fma(half_power, expm1, add(half_power, -0.5f)), m = std::fmin(h, 1.0f);
  return std::copysign(fma(-m, divide(m, add(1, h)), m), x);
}

inline float sigmoid_of(float x) {
  if (std::isnan(x)) return one_nan(x);
  const float e = exp_of(-std::fabs(x)), m = x < 0 ? e : 1.0f;
  return fma(-m, divide(e, add(1, e)), m);
}

inline float silu_of(float x) {
  return one_nan(multiply(x, sigmoid_of(x)));
}

inline float erf_of(float x) {
  if (std::isnan(x)) return one_nan(x);
  const float a = std::fmin(std::fabs(x), 4.0f);
  const float p = polynomial(multiply(a, a), {-0x1.3ed096p-11f, 0x1.485414p-8f, -0x1.b6b806p-6f,
                                              0x1.ce1d3cp-4f, -0x1.8126f4p-2f, 0x1.06eba6p-3f});
  const float q = polynomial(a, {-0x1.4aac98p-10f, 0x1.0074dap-6f, -0x1.760fccp-4f, -0x1.4d081ep-1f,
                                 -0x1.1ed272p+0f, -0x1.dda36cp-10f});
  return std::copysign(a < 0.9f ? fma(a, p, a) : add(1, -exp_of(q)), x);
}

/// The exponential of -a²/2 is split off before it is rounded.
inline float gelu_of(float x) {
  if (std::isnan(x)) return one_nan(x);
  const float a = std::fmin(std::fabs(x), 14.5f);
  const double n = round_half_even(double{multiply(a, a)} * double{-0x1.715476p-1f});
  const float high = fma(a, a, static_cast<float>(n * double{2 * 0x1.62e4p-1f}));
  const float r = fma(static_cast<float>(n), 2 * 0x1.7f7d1cp-20f, high);
  const float significand = polynomial(
      r, {0x1.6b77f4p-16f, -0x1.12267cp-12f, 0x1.555712p-9f, -0x1.5554b2p-6f, 0x1.fffffep-4f, -0.5f, 1.0f});
  const float numerator =
      polynomial(a, {0x1.0dceccp-8f, 0x1.4ce79cp-5f, 0x1.774b4p-3f, 0x1.c0d56ap-2f, 0.5f});
  const float denominator =
      polynomial(a, {0x1.522668p-7f, 0x1.a142b6p-4f, 0x1.e0c676p-2f, 0x1.33db1p+0f, 0x1.acace6p+0f, 1.0f});
  const float tail = multiply(divide(multiply(a, numerator), denominator), significand);
  // The power enters in two halves, and the last one into the fused step: nothing is rounded before it.
  const double product = std::ldexp(double{tail}, static_cast<int>(n));
  const float relu = x < a ? -0.0f : x;
  return static_cast<float>(double{relu} - product);
}

inline float gelu_tanh_of(float x) {
  const float slope = fma(multiply(x, x), 0x1.2444f2p-4f, 0x1.988454p+0f);
  return one_nan(multiply(x, sigmoid_of(multiply(x, slope))));
}

inline float elu_of(float x, float alpha, float scale, float input_scale) {
  if (std::isnan(x)) return one_nan(x);
  if (x > 0) return multiply(x, scale);
  const float z = multiply(x, input_scale);
  const auto [n, r] = reduce(std::fmax(z, -25.0f));
  const float power = scaled(1, n), expm1 = fma(multiply(r, r), exp_quotient(r), r);
  const float below = std::copysign(fma(power, expm1, add(power, -1)), z);
  return multiply(below, multiply(alpha, scale));
}

inline float leaky_relu_of(float x, float slope) {
  return one_nan(x < 0 ? multiply(x, slope) : x);
}
inline float hardsigmoid_of(float x) {
  return std::isnan(x) ? one_nan(x) : divide(clamped(add(x, 3), 0, 6), 6);
}
inline float hardswish_of(float x) {
  return std::isnan(x) ? one_nan(x) : one_nan(divide(multiply(x, clamped(add(x, 3), 0, 6)), 6));
}
inline float sqrt_one_nan(float x) {
  return one_nan(sqrt_of(x));
}
inline float rsqrt_of(float x) {
  return one_nan(divide(1, sqrt_of(x)));
}

// ---- rows ----

/// The sum of n terms: term(lane, i) is the lane with element i.
template <class Term>
float row_sum(std::int64_t n, Term term) {
  std::vector<float> lanes;
  for (std::int64_t lane = 0; lane < 64; ++lane) {
    float total = 0;
    for (std::int64_t chunk = 0; chunk < n; chunk += 4096) {
      float sum = 0;
      for (std::int64_t i = chunk + lane; i < std::min(chunk + 4096, n); i += 64) sum = term(sum, i);
      total = add(total, sum);
    }
    lanes.push_back(total);
  }
  while (lanes.size() > 1) {
    const std::size_t half = lanes.size() / 2;
    for (std::size_t lane = 0; lane < half; ++lane) lanes[lane] = add(lanes[lane], lanes[lane + half]);
    lanes.resize(half);
  }
  return lanes[0];
}
inline float row_sum(const std::vector<float>& x) {
  return row_sum(static_cast<std::int64_t>(x.size()),
                 [&](float lane, std::int64_t i) { return add(lane, x[i]); });
}
inline float row_mean(const std::vector<float>& x) {
  return one_nan(divide(row_sum(x), to_float(static_cast<std::int64_t>(x.size()))));
}
inline float row_max(const std::vector<float>& x) {
  float largest = -std::numeric_limits<float>::infinity();
  for (const float value : x) {
    if (std::isnan(value)) return one_nan(value);
    largest = value > largest ? value : largest;
  }
  return largest == 0 ? 0.0f : largest;
}

inline std::vector<float> softmax_of(const std::vector<float>& x, bool is_log) {
  float largest = -std::numeric_limits<float>::infinity();
  for (const float value : x) largest = value > largest ? value : largest;
  const auto exp_at = [&](std::int64_t i) { return exp_of(add(x[i], -largest)); };
  const float total = row_sum(static_cast<std::int64_t>(x.size()),
                              [&](float lane, std::int64_t i) { return add(lane, exp_at(i)); });
  std::vector<float> y;
  for (std::size_t i = 0; i < x.size(); ++i) {
    const float value = is_log ? add(add(x[i], -largest), -log_of(total))
                               : divide(exp_at(static_cast<std::int64_t>(i)), total);
    y.push_back(one_nan(std::isnan(total) ? total : value));
  }
  return y;
}

struct Normalized {
  std::vector<float> y;
  float mean, rstd;
};
/// `weight` and `bias` as long as x, or empty.
inline Normalized normalized(const std::vector<float>& x, float eps, bool is_rms,
                             const std::vector<float>& weight, const std::vector<float>& bias) {
  const auto n = static_cast<std::int64_t>(x.size());
  Normalized result{{}, is_rms ? 0.0f : divide(row_sum(x), to_float(n)), 0};
  const auto centered = [&](std::int64_t i) { return add(x[i], -result.mean); };
  const float squares =
      row_sum(n, [&](float lane, std::int64_t i) { return fma(centered(i), centered(i), lane); });
  result.rstd = divide(1, sqrt_of(add(divide(squares, to_float(n)), eps)));
  for (std::int64_t i = 0; i < n; ++i) {
    float t = multiply(centered(i), result.rstd);
    if (!weight.empty() && !bias.empty())
      t = fma(t, weight[i], bias[i]);
    else if (!weight.empty())
      t = multiply(t, weight[i]);
    else if (!bias.empty())
      t = add(t, bias[i]);
    result.y.push_back(one_nan(t));
  }
  return result;
}

/// y of rows of n elements in [outer][n][inner]: of_row(elements of a row) gives as many elements.
template <class OfRow>
std::vector<float> for_rows(const std::vector<float>& x, std::int64_t n, std::int64_t inner, OfRow of_row) {
  const std::int64_t outer = n * inner == 0 ? 0 : static_cast<std::int64_t>(x.size()) / (n * inner);
  std::vector<float> y;
  for (std::int64_t o = 0; o < outer; ++o) {
    std::vector<std::vector<float>> columns;
    for (std::int64_t j = 0; j < inner; ++j) {
      std::vector<float> row;
      for (std::int64_t i = 0; i < n; ++i) row.push_back(x[(o * n + i) * inner + j]);
      columns.push_back(of_row(row));
    }
    for (std::size_t i = 0; i < (columns.empty() ? 0 : columns[0].size()); ++i)
      for (const std::vector<float>& column : columns) y.push_back(column[i]);
  }
  return y;
}

}  // namespace samebits::oracle
