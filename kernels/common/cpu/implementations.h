// The definition of a kernel that Highway compiled once for every target, in HWY_ONCE code only.
#pragma once

#include "hwy/highway.h"
#include "kernels/common/isa.h"
#include "kernels/common/kernel.h"

#if HWY_TARGETS & HWY_AVX3
#define SAMEBITS_AVX512_ENTRY(function) {"avx512", N_AVX3::function, isa::why_not_avx512},
#else
#define SAMEBITS_AVX512_ENTRY(function)
#endif
#if HWY_TARGETS & HWY_AVX2
#define SAMEBITS_AVX2_ENTRY(function) {"avx2", N_AVX2::function, isa::why_not_avx2},
#else
#define SAMEBITS_AVX2_ENTRY(function)
#endif
#if HWY_TARGETS & HWY_NEON
#define SAMEBITS_NEON_ENTRY(function) {"neon", N_NEON::function, isa::why_not_neon},
#else
#define SAMEBITS_NEON_ENTRY(function)
#endif

/// Entries, best first, reference last. `function` has the same name in every target's namespace and in
/// reference::.
#define SAMEBITS_EVERY_TARGET(function)                      \
  SAMEBITS_AVX512_ENTRY(function)                            \
  SAMEBITS_AVX2_ENTRY(function)                              \
  SAMEBITS_NEON_ENTRY(function) {                            \
    "reference", reference::function, isa::why_not_reference \
  }

/// A kernel of these functions, which are named like it.
#define SAMEBITS_HIGHWAY_KERNEL(object, name) SAMEBITS_KERNEL(object, name, {SAMEBITS_EVERY_TARGET(object)})
