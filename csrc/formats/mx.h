// torch operator samebits::fake_quantize_mx: to an OCP microscaling format and back.
#pragma once

#include <ATen/ATen.h>

#include <string_view>

#include "csrc/quantize/fake_quantize.h"
#include "kernels/formats/mx.h"

namespace samebits::ops {

/// Blocks of 32 along the last axis, each with a power of two of its own (kernels/formats/mx.h): y like x;
/// clip_mask 1 where an element saturated; saw_nan, whose whole block becomes NaN. `format`: "e4m3", "e5m2",
/// "e3m2", "e2m3", "e2m1" or "int8". Straight-through gradient for x.
FakeQuantized fake_quantize_mx(const at::Tensor& x, std::string_view format);

/// The format of an operator's argument. Throws c10::Error on another name.
kernels::MxFormat checked_mx_format(std::string_view name);

}  // namespace samebits::ops
