// bfloat16 as gemm_bf16 stores it: bare bits. The rounding is float_type.h's.
#pragma once

#include <cstdint>

#include "kernels/common/float_type.h"

namespace samebits::kernels {

/// A bfloat16 in storage: sign, 8 exponent bits, 7 fraction bits.
using Bf16 = std::uint16_t;

inline Bf16 to_bf16(float value) {
  return to_bfloat16(value).bits;
}

inline float from_bf16(Bf16 value) {
  return to_float(Bfloat16{value});
}

}  // namespace samebits::kernels
