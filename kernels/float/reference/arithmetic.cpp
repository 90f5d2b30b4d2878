// The contract of kernels/float/arithmetic.h as a plain loop.
#include "kernels/float/reference/arithmetic.h"

#include <bit>
#include <cmath>

namespace samebits::kernels::reference {
namespace {

float result(Arithmetic kind, float a, float b) {
  const bool is_nan = std::isnan(a) || std::isnan(b);
  switch (kind) {
    case Arithmetic::kAdd:
      return a + b;
    case Arithmetic::kSub:
      return a - b;
    case Arithmetic::kMul:
      return a * b;
    case Arithmetic::kDiv:
      return a / b;
    case Arithmetic::kMinimum:
      return is_nan ? std::bit_cast<float>(0x7FC00000u) : b < a ? b : a;
    case Arithmetic::kMaximum:
      return is_nan ? std::bit_cast<float>(0x7FC00000u) : a < b ? b : a;
  }
  return 0;
}

}  // namespace

void arithmetic(const ArithmeticArgs& args, std::int64_t begin, std::int64_t end) {
  for (std::int64_t i = begin; i < end; ++i)
    args.y[i] = result(args.kind, args.a[i * args.a_step], args.b[i * args.b_step]);
}

}  // namespace samebits::kernels::reference
