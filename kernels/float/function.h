// Functions of one float32, element by element, whose bits are the same for every instruction set, thread
// count and device: formulas of single IEEE operations in one written order (formulas-inl.h, docs/numerics.md
// §13).
#pragma once

#include <array>
#include <cstdint>
#include <type_traits>

#include "kernels/common/kernel.h"

namespace samebits::kernels {

enum class Function {
  kExp,
  kLog,  // of 0: -infinity; of negative numbers: NaN
  kTanh,
  kSigmoid,  // 1 / (1 + e^-x)
  kErf,
  kSilu,         // x sigmoid(x)
  kGelu,         // x Phi(x)
  kGeluTanh,     // its approximation by tanh
  kElu,          // 0 < x: x scales[2]; else (e^(x scales[0]) - 1) scales[1], where scales[0] > 0
  kLeakyRelu,    // x < 0: x scales[0]; else x
  kHardsigmoid,  // min(max(x + 3, 0), 6) / 6
  kHardswish,    // x min(max(x + 3, 0), 6) / 6
  kSqrt,
  kRsqrt,  // 1 / sqrt(x)
};
constexpr int kFunctions = 14;

struct FunctionArgs {
  Function function;
  const float* x;
  float* y;  // may be x
  std::array<float, 3> scales = {1, 1, 1};
};

/// y[i] of x[i] for elements [begin, end), of any alignment. A result that is no number is the NaN
/// 0x7FC00000; denormals are numbers. Does not allocate or throw.
extern const Kernel<void(const FunctionArgs& args, std::int64_t begin, std::int64_t end)> apply_function;

/// Calls visit(std::integral_constant<Function, function>()).
template <class Visit>
auto with_function(Function function, Visit visit) {
  const auto call = [&]<Function kFunction> { return visit(std::integral_constant<Function, kFunction>()); };
  switch (function) {
#define SAMEBITS_CASE(name) \
  case Function::name:      \
    return call.template operator()<Function::name>();
    SAMEBITS_CASE(kExp)
    SAMEBITS_CASE(kLog)
    SAMEBITS_CASE(kTanh)
    SAMEBITS_CASE(kSigmoid)
    SAMEBITS_CASE(kErf)
    SAMEBITS_CASE(kSilu)
    SAMEBITS_CASE(kGelu)
    SAMEBITS_CASE(kGeluTanh)
    SAMEBITS_CASE(kElu)
    SAMEBITS_CASE(kLeakyRelu)
    SAMEBITS_CASE(kHardsigmoid)
    SAMEBITS_CASE(kHardswish)
    SAMEBITS_CASE(kSqrt)
    SAMEBITS_CASE(kRsqrt)
#undef SAMEBITS_CASE
  }
  __builtin_unreachable();
}

}  // namespace samebits::kernels
