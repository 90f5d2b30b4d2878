// When a product's floats are written past the caches: lines that are written whole need not be read first.
// For x86-64's AVX-512 micro-kernels.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
namespace samebits::kernels {

/// What another kernel may still find in L2; a larger output is read from further away anyway.
constexpr std::int64_t kCachedOutputBytes = 1 << 20;

/// Whether a product of `elements` floats streams them: stores of 16 floats at multiples of 16 columns fill
/// cache lines. Measured on an AMD Zen 4 processor: 4 to 13 % of the product, with the time of reading them
/// again; on an Intel one with AMX it cost time. Who streams ends with _mm_sfence().
inline bool streams_output(const void* output, std::int64_t stride, std::int64_t elements) {
  return elements * static_cast<std::int64_t>(sizeof(float)) > kCachedOutputBytes &&
         reinterpret_cast<std::uintptr_t>(output) % 64 == 0 && stride % 16 == 0 &&
         __builtin_cpu_is("amd") != 0;
}

}  // namespace samebits::kernels
#endif
