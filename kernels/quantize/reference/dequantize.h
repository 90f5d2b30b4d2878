#pragma once
#include "kernels/quantize/dequantize.h"

namespace samebits::kernels::reference {
void dequantize_codes(const std::int8_t* codes, void* y, const GridTable& table, std::int64_t begin,
                      std::int64_t end, FloatType type);
void dequantize_run(const std::int8_t* codes, void* y, const AffineGrid& grid, std::int64_t begin,
                    std::int64_t end, FloatType type);
}  // namespace samebits::kernels::reference
