#include "kernels/float/arithmetic.h"

#include <cstring>

namespace samebits::kernels {
namespace {

/// y[i] = f(bits of x[i]).
template <class F>
void on_bits(const float* x, float* y, std::int64_t begin, std::int64_t end, F f) {
  for (std::int64_t i = begin; i < end; ++i) {
    std::uint32_t bits;
    std::memcpy(&bits, x + i, sizeof(bits));
    bits = f(bits);
    std::memcpy(y + i, &bits, sizeof(bits));
  }
}

constexpr std::uint32_t kSign = 0x80000000u;

}  // namespace

void negate(const float* x, float* y, std::int64_t begin, std::int64_t end) {
  on_bits(x, y, begin, end, [](std::uint32_t bits) { return bits ^ kSign; });
}

void absolute(const float* x, float* y, std::int64_t begin, std::int64_t end) {
  on_bits(x, y, begin, end, [](std::uint32_t bits) { return bits & ~kSign; });
}

}  // namespace samebits::kernels
