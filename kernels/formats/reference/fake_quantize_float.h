#pragma once
#include "kernels/formats/fake_quantize_float.h"

namespace samebits::kernels::reference {
bool fake_quantize_float(const FloatArgs& args, const FloatFormat& format, Overflow overflow,
                         const GridTable& table, std::int64_t begin, std::int64_t end);
/// One run: all elements have this scale.
bool fake_quantize_float_run(const FloatArgs& args, const FloatFormat& format, Overflow overflow, float scale,
                             std::int64_t begin, std::int64_t end);
void decode_float_run(const std::uint8_t* codes, float* y, const FloatFormat& format, float scale,
                      std::int64_t begin, std::int64_t end);
}  // namespace samebits::kernels::reference
