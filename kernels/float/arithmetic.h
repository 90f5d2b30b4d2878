// The IEEE operations of two floats, element by element: 12 bytes an element where both go on, 8 where one is
// a single number.
#pragma once

#include <cstdint>

#include "kernels/common/kernel.h"

namespace samebits::kernels {

enum class Arithmetic { kAdd, kSub, kMul, kDiv, kMinimum, kMaximum };

struct ArithmeticArgs {
  Arithmetic kind;
  const float *a, *b;
  std::int64_t a_step = 1, b_step = 1;  // 1, or 0: one number for all elements
  float* y;                             // may be a, or b, when that one's step is 1
};

/// y[i] = a[i] ? b[i] for i in [begin, end), each rounded once. kMinimum is b < a ? b : a and kMaximum
/// a < b ? b : a, so that of equal zeros a stands; they are 0x7FC00000 where either is NaN. Which NaN the
/// others give is the processor's choice. Any alignment; neither allocates nor throws.
extern const Kernel<void(const ArithmeticArgs& args, std::int64_t begin, std::int64_t end)> arithmetic;

/// The sign bit flipped, or cleared: of every float, NaN too.
void negate(const float* x, float* y, std::int64_t begin, std::int64_t end);
void absolute(const float* x, float* y, std::int64_t begin, std::int64_t end);

}  // namespace samebits::kernels
