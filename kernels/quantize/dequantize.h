// int8 codes -> float: (code - zero_point) * scale, one rounding, and one more to a 16-bit type. 5 bytes an
// element (1 read, 4 written), or 3.
#pragma once

#include <cstdint>

#include "kernels/common/affine.h"
#include "kernels/common/float_type.h"
#include "kernels/common/grid_table.h"
#include "kernels/common/kernel.h"

namespace samebits::kernels {

/// y[i] of codes[i] for i in [begin, end), any alignment. y has `type`.
extern const Kernel<void(const std::int8_t* codes, void* y, const GridTable& table, std::int64_t begin,
                         std::int64_t end, FloatType type)>
    dequantize_codes;

/// The same on one grid.
void dequantize_run(const std::int8_t* codes, void* y, const AffineGrid& grid, std::int64_t begin,
                    std::int64_t end, FloatType type = FloatType::kFloat32);

}  // namespace samebits::kernels
