#pragma once
#include "kernels/formats/fake_quantize_small_float.h"

namespace samebits::kernels::reference {
bool fake_quantize_small_float(const SmallFloatArgs& args, const SmallFloat& format, Overflow overflow,
                               const GridTable& table, std::int64_t begin, std::int64_t end);
/// One run: all elements have this scale.
bool fake_quantize_small_float_run(const SmallFloatArgs& args, const SmallFloat& format, Overflow overflow,
                                   float scale, std::int64_t begin, std::int64_t end);
void decode_small_float_run(const std::uint8_t* codes, float* y, const SmallFloat& format, float scale,
                            std::int64_t begin, std::int64_t end);
}  // namespace samebits::kernels::reference
