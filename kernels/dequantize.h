// int8 codes -> float: (code - zero_point) * scale, one rounding. One grid a run.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/affine.h"
#include "kernels/grid_table.h"
#include "kernels/implementation.h"

namespace samebits::kernels {

/// y[i] of codes[i] for i in [begin, end), any alignment.
void dequantize_run(const std::int8_t* codes, float* y, const AffineGrid& grid, std::int64_t begin,
                    std::int64_t end);

/// The same over a table of grids.
void dequantize(const std::int8_t* codes, float* y, const GridTable& table, std::int64_t begin,
                std::int64_t end);

std::span<const Implementation<decltype(dequantize_run)>> dequantize_implementations();

}  // namespace samebits::kernels
