// torch operator samebits::fake_quantize_float: to a small float format and back.
#pragma once

#include <ATen/ATen.h>

#include <string_view>

#include "csrc/quantize/fake_quantize.h"
#include "kernels/formats/small_float.h"

namespace samebits::ops {

/// decode(encode(x / scale)) * scale: y like x; clip_mask 1 where x rounds beyond the largest value; saw_nan,
/// NaNs made by overflow included. `format`: "e4m3", "e5m2" (FP8, OCP), "e3m2", "e2m3" (FP6) or "e2m1" (FP4).
/// Overflow saturates; with saturate = false, FP8 only, it becomes infinity (e5m2) or NaN (e4m3). `scale`,
/// axis and group_size as in fake_quantize.h. Straight-through gradient for x.
FakeQuantized fake_quantize_float(const at::Tensor& x, const at::Tensor& scale, std::string_view format,
                                  bool saturate = true, int64_t axis = 0, int64_t group_size = 0);

/// The format of an operator's arguments. Throws c10::Error on another name, and on a format that has to
/// saturate.
kernels::SmallFloat checked_small_float(std::string_view name, bool saturate);

}  // namespace samebits::ops
