// at::_int_mm (oneDNN) as one implementation of the int8 matrix multiplication: fast on AMX and VNNI, and not
// trusted: it is reported wrong on some processors, so it must pass a self-test first.
#pragma once

#include <ATen/ATen.h>

#include <cstdint>
#include <string>

namespace samebits::ops {

/// Empty when it may be used, else the reason: SAMEBITS_ISA is set, or it failed its self-test here. Decided
/// once.
const std::string& why_not_int_mm();

/// at::_int_mm mistakes the strides of a b of one column and gives wrong sums.
constexpr int64_t kLeastIntMmDepth = 2;

/// The int32 products [m, n] of a [m, k] and b [n, k], both int8 row-major; k >= kLeastIntMmDepth.
at::Tensor int_mm(const at::Tensor& a, const at::Tensor& b);

}  // namespace samebits::ops
