#pragma once
#include "kernels/formats/mx.h"

namespace samebits::kernels::reference {
bool fake_quantize_mx(const MxArgs& args, const MxFormat& format, const MxRows& rows, std::int64_t begin,
                      std::int64_t end);

/// The largest magnitude of x[begin, end) as float32 bits; NaN is above all.
std::uint32_t largest_magnitude_bits(const MxArgs& args, std::int64_t begin, std::int64_t end);
/// Elements [begin, end) of one block, whose scale is known.
void mx_elements(const MxArgs& args, const MxFormat& format, std::uint8_t scale_code, std::int64_t begin,
                 std::int64_t end);
}  // namespace samebits::kernels::reference
