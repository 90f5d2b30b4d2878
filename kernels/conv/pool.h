// Pools of any window, as plain loops: averages, and the largest element where max_pool.h does not reach
// (dilation, a last window beyond the image, windows of more than 255 elements).
#pragma once

#include <array>
#include <cstdint>

namespace samebits::kernels {

/// Sizes of one plane, which is one channel of one image, before and after a pool, and of the window:
/// {height, width} each. A window begins inside of the plane or of its left padding.
struct PoolShape {
  std::array<std::int64_t, 2> in, out;
  std::array<std::int64_t, 2> kernel, stride = {1, 1}, padding = {0, 0}, dilation = {1, 1};
};

/// Planes [begin, end), row-major: the largest element under each window, -inf where there is none. Of equal
/// zeros the first; a NaN wins, the last one over those before it. The bits of max_pool.h where that reaches.
void max_pool_any(const PoolShape& shape, const float* x, float* y, std::int64_t begin, std::int64_t end);
/// The same on codes, whose order is that of the reals. `lowest` is the smallest code of their grid.
void max_pool_any_codes(const PoolShape& shape, std::int8_t lowest, const std::int8_t* x, std::int8_t* y,
                        std::int64_t begin, std::int64_t end);

/// What a mean is divided by: the places of its window in the padded plane, or only those in the plane.
enum class AvgPoolCount { kWithPadding, kWithoutPadding };

/// Planes [begin, end): the mean under each window: elements added row by row in float32 from +0, divided by
/// their count, plus +0. Padding counts as zeros. dilation is not read.
void avg_pool(const PoolShape& shape, AvgPoolCount count, const float* x, float* y, std::int64_t begin,
              std::int64_t end);

}  // namespace samebits::kernels
