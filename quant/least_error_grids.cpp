#include "quant/least_error_grids.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>

#include "kernels/common/affine.h"

namespace samebits::quant {
namespace {

constexpr int kParts = 64, kFewestParts = 13;

/// Consecutive elements that share a grid.
struct Run {
  const float* values;
  std::int64_t count;
};

double squared_error(const Run& run, const kernels::AffineGrid& grid) {
  double sum = 0;
  for (std::int64_t i = 0; i < run.count; ++i) {
    const float real =
        kernels::dequantize(kernels::code_at(kernels::grid_position(run.values[i], grid), grid), grid);
    const double error = double{run.values[i]} - double{real};
    sum += error * error;
  }
  return sum;
}

kernels::AffineGrid least_error_grid(const Run& run, const Encoding& encoding) {
  const auto [low, high] = std::minmax_element(run.values, run.values + run.count);
  const float min = *low, max = *high;
  kernels::AffineGrid best =
      kernels::grid_of_range(min, max, encoding.qmin, encoding.qmax, encoding.symmetric);
  double least = squared_error(run, best);
  for (int part = kParts - 1; part >= kFewestParts; --part) {
    const float factor = static_cast<float>(part) / static_cast<float>(kParts);
    const kernels::AffineGrid grid =
        kernels::grid_of_range(min * factor, max * factor, encoding.qmin, encoding.qmax, encoding.symmetric);
    const double error = squared_error(run, grid);
    if (!(error < least)) continue;
    least = error;
    best = grid;
  }
  return best;
}

}  // namespace

Grids least_error_grids(const float* values, std::int64_t rows, std::int64_t row_length,
                        const Encoding& encoding) {
  const std::int64_t n = rows * row_length;
  if (n == 0) throw std::invalid_argument("[quant] weight: expected at least 1 element, got none");
  const float* wrong = std::find_if(values, values + n, [](float value) { return !std::isfinite(value); });
  if (wrong != values + n)
    throw std::invalid_argument(std::string("[quant] weight: expected finite values, got ") +
                                (std::isnan(*wrong) ? "NaN" : "infinity"));
  const bool is_one = encoding.granularity == Granularity::kPerTensor;
  const std::int64_t lines = is_one ? 1 : rows, length = is_one ? n : row_length;
  const std::int64_t step = encoding.granularity == Granularity::kPerGroup ? encoding.group_size : length;
  Grids grids;
  for (std::int64_t line = 0; line < lines; ++line)
    for (std::int64_t begin = 0; begin < length; begin += step) {
      const Run run{values + line * length + begin, std::min(step, length - begin)};
      const kernels::AffineGrid grid = least_error_grid(run, encoding);
      grids.scale.push_back(grid.scale);
      if (!encoding.symmetric) grids.zero_point.push_back(grid.zero_point);
    }
  return grids;
}

}  // namespace samebits::quant
