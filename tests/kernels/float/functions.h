// The functions under test: their oracles, their exact values, and the error that docs/numerics.md §13
// allows.
#pragma once

#include <cmath>

#include "kernels/float/function.h"
#include "tests/function_oracle.h"

namespace samebits::kernels {

struct FunctionCase {
  const char* name;
  Function function;
  float (*oracle)(float x);
  long double (*exact)(long double x);
  double ulps;         // the largest error for |x| <= 5, in units of the last place of the exact value
  double ulps_beyond;  // the same for every other x
  std::array<float, 3> scales = {1, 1, 1};
};

inline long double exact_sigmoid(long double x) {
  const long double e = std::exp(-std::fabs(x));
  return x < 0 ? e / (1 + e) : 1 / (1 + e);
}
inline long double exact_clamp6(long double x) {
  return x < -3 ? 0 : x > 3 ? 6 : x + 3;
}

constexpr float kSeluAlpha = 1.6732632f, kSeluScale = 1.0507010f;

inline const std::vector<FunctionCase>& function_cases() {
  constexpr long double kRoot2 = 1.414213562373095048801688724209698L,
                        kSlope = 1.595769121605730711759542416670L;  // 2 sqrt(2 / pi)
  static const std::vector<FunctionCase> kCases = {
      {"exp", Function::kExp, oracle::exp_of, [](long double x) { return std::exp(x); }, 0.91, 0.91},
      {"log", Function::kLog, oracle::log_of, [](long double x) { return std::log(x); }, 0.85, 0.85},
      {"tanh", Function::kTanh, oracle::tanh_of, [](long double x) { return std::tanh(x); }, 1.86, 0.51},
      {"sigmoid", Function::kSigmoid, oracle::sigmoid_of, exact_sigmoid, 1.64, 1.64},
      {"erf", Function::kErf, oracle::erf_of, [](long double x) { return std::erf(x); }, 1.39, 0.51},
      {"silu", Function::kSilu, oracle::silu_of, [](long double x) { return x * exact_sigmoid(x); }, 2.71,
       53},
      {"gelu", Function::kGelu, oracle::gelu_of, [](long double x) { return x * std::erfc(-x / kRoot2) / 2; },
       5.71, 5.71},
      {"gelu_tanh", Function::kGeluTanh, oracle::gelu_tanh_of,
       [](long double x) { return x * exact_sigmoid(kSlope * (x + 0.044715L * x * x * x)); }, 29, 180},
      {"elu", Function::kElu, [](float x) { return oracle::elu_of(x, 1, 1, 1); },
       [](long double x) { return x > 0 ? x : std::expm1(x); }, 0.95, 0.95},
      {"selu",
       Function::kElu,
       [](float x) { return oracle::elu_of(x, kSeluAlpha, kSeluScale, 1); },
       [](long double x) { return kSeluScale * (x > 0 ? x : kSeluAlpha * std::expm1(x)); },
       1.9,
       1.9,
       {1, kSeluAlpha * kSeluScale, kSeluScale}},
      {"leaky_relu",
       Function::kLeakyRelu,
       [](float x) { return oracle::leaky_relu_of(x, 0.01f); },
       [](long double x) { return x < 0 ? x * 0.01f : x; },
       0.5,
       0.5,
       {0.01f, 1, 1}},
      {"hardsigmoid", Function::kHardsigmoid, oracle::hardsigmoid_of,
       [](long double x) { return exact_clamp6(x) / 6; }, 2, 0},
      // x · 6 may overflow, as in at::hardswish.
      {"hardswish", Function::kHardswish, oracle::hardswish_of,
       [](long double x) {
         return x * 6 > 0x1.fffffep127L ? std::numeric_limits<long double>::infinity()
                                        : x * exact_clamp6(x) / 6;
       },
       2, 1},
      {"sqrt", Function::kSqrt, oracle::sqrt_one_nan, [](long double x) { return std::sqrt(x); }, 0.5, 0.5},
      {"rsqrt", Function::kRsqrt, oracle::rsqrt_of, [](long double x) { return 1 / std::sqrt(x); }, 1.5, 1.5},
  };
  return kCases;
}

/// |y - exact| in units of the last place of a float32 at `exact`; 0 where a float32 can only be infinite.
inline double ulps_between(float y, long double exact) {
  if (!(std::fabs(exact) < 0x1.ffffffp127L)) return 0;
  const int exponent = exact == 0 ? -126 : std::max(std::ilogb(exact), -126);
  return static_cast<double>(std::fabs(static_cast<long double>(y) - exact) /
                             std::ldexp(1.0L, exponent - 23));
}

}  // namespace samebits::kernels
