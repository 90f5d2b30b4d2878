// Sums, means and largest elements of rows, in the one order of kernels/float/row_sum.h (docs/numerics.md
// §14).
#pragma once

#include "kernels/common/kernel.h"
#include "kernels/float/row_sum.h"

namespace samebits::kernels {

struct ReduceArgs {
  const float* x;
  float* y;  // of each row
  RowShape shape;
  bool is_mean = false;  // of sums: divided by float(n)
};

/// y[row] = sum x[i], or fl(sum / float(n)), for rows [begin, end). Of no elements the sum is +0 and the mean
/// NaN. A NaN result is 0x7FC00000. Does not allocate or throw.
extern const Kernel<void(const ReduceArgs& args, std::int64_t begin, std::int64_t end)> sum_rows;

/// y[row] = the largest element: NaN where the row has one, +0 where it is a zero. n >= 1.
extern const Kernel<void(const ReduceArgs& args, std::int64_t begin, std::int64_t end)> max_rows;

/// The place of the first of the largest elements, where a NaN is larger than any number; n >= 1.
void argmax_rows(const float* x, const RowShape& shape, std::int64_t* y, std::int64_t begin,
                 std::int64_t end);

/// Sizes {height, width} of planes.
struct AdaptivePoolShape {
  std::int64_t in[2], out[2];
};

/// Of planes [begin, end): the mean, as sum_rows has it, of the elements of each window, row by row. Window i
/// of o over n elements are those of [floor(i n / o), ceil((i + 1) n / o)), as in at::adaptive_avg_pool2d.
void adaptive_avg_pool(const AdaptivePoolShape& shape, const float* x, float* y, std::int64_t begin,
                       std::int64_t end);

}  // namespace samebits::kernels
