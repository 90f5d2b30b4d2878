#pragma once
#include "kernels/fake_quantize_float.h"

namespace samebits::kernels::reference {
bool fake_quantize_float_run(const FloatArgs& args, const FloatGrid& grid, std::int64_t begin,
                             std::int64_t end);
void decode_float_run(const std::uint8_t* codes, float* y, const FloatFormat& format, float scale,
                      std::int64_t begin, std::int64_t end);
}  // namespace samebits::kernels::reference
