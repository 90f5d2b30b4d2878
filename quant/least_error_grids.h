// Grids of a weight that may clip: where a scale is trained, it begins from these.
#pragma once

#include <cstdint>
#include <vector>

#include "quant/encode.h"

namespace samebits::quant {

/// For each grid of a weight [rows][row_length] the range of its elements times k / 64, k = 64 down to 13,
/// whose grid (grid_of_range) has the least sum of squared errors; of equals the widest. Sums are in double,
/// ascending. Throws std::invalid_argument when the weight is not finite or empty.
Grids least_error_grids(const float* values, std::int64_t rows, std::int64_t row_length,
                        const Encoding& encoding);

}  // namespace samebits::quant
