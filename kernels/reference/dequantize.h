#pragma once
#include "kernels/dequantize.h"

namespace samebits::kernels::reference {
void dequantize_run(const std::int8_t* codes, float* y, const AffineGrid& grid, std::int64_t begin,
                    std::int64_t end);
}
