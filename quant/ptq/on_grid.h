// How a rounding method hands its codes to the one producer: as reals that lie on the grids which their own
// ranges give. So nothing needs to keep codes beside a weight, and training may go on from it.
#pragma once

#include <cstdint>
#include <vector>

#include "quant/encode.h"

namespace samebits::quant {

/// A weight's grids, and which of its elements set them: the least and the greatest of each grid. A method
/// leaves these at their nearest code; then the reals of its codes have the same ranges.
class OwnGrids {
 public:
  /// Throws std::invalid_argument like encode().
  OwnGrids(const float* values, std::int64_t rows, std::int64_t row_length, const Encoding& encoding);

  /// The real of the nearest code to `target` on the grid of element (row, column); where that element sets
  /// the range, the real of its own nearest code.
  float nearest_real(std::int64_t row, std::int64_t column, double target) const;

 private:
  std::int64_t grid_index(std::int64_t row, std::int64_t column) const;

  const float* values_;
  std::int64_t row_length_;
  Encoding encoding_;
  std::vector<float> scale_;
  std::vector<std::int32_t> zero_point_;
  std::vector<std::uint8_t> sets_range_;  // an element each
};

/// Whether encode() gives reals back as they are, to a unit in the last place of the scale.
bool lies_on_own_grids(const std::vector<float>& reals, std::int64_t rows, std::int64_t row_length,
                       const Encoding& encoding);

}  // namespace samebits::quant
