// torch operator samebits::fake_quantize_codebook, and the codebooks that have names.
#pragma once

#include <ATen/ATen.h>

#include <vector>

#include "csrc/quantize/fake_quantize.h"
#include "kernels/formats/codebook.h"

namespace samebits::ops {

/// x to the nearest codebook[code] * scale: y like x, clip_mask 1 where x lies beyond the first or the last
/// value, saw_nan. `codebook`: 2..16 ascending reals (kernels/formats/codebook.h). `scale`, axis and
/// group_size as in fake_quantize.h. Straight-through gradient for x.
FakeQuantized fake_quantize_codebook(const at::Tensor& x, const at::Tensor& scale,
                                     at::ArrayRef<double> codebook, int64_t axis = 0, int64_t group_size = 0);

/// The codebook of an operator's argument. Throws c10::Error where kernels::make_codebook refuses it.
kernels::Codebook checked_codebook(at::ArrayRef<double> values);

/// Values of kernels/formats/codebook.h: 0 and powers of two; sums of two of them; 4-bit NormalFloat.
/// bits: 2..4.
std::vector<double> powers_of_two(int64_t bits);
std::vector<double> additive_powers_of_two(int64_t bits, bool is_signed = true);
std::vector<double> normal_float4();

}  // namespace samebits::ops
