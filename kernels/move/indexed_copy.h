// The one strided copy: each element of y is an element of x, or a constant, at a place that is a sum of one
// number for each dimension of y. Permutations, slices, expansions, paddings, lookups and nearest neighbours
// are tables of such numbers.
#pragma once

#include <cstdint>

namespace samebits::kernels {

struct IndexedCopy {
  const void* x;
  void* y;                     // row-major; not x
  std::int64_t element_bytes;  // 1, 4 or 8
  /// Elements side by side that are copied as one unit: the last dimensions, where they stay as they are.
  std::int64_t run = 1;
  std::int64_t rank;  // dimensions of y before the run; 0: one unit
  const std::int64_t* sizes;
  /// For each dimension `size` offsets into x, in units of `run` elements. Below 0: outside of x.
  const std::int64_t* const* offsets;
  const void* fill = nullptr;  // an element for what is outside; null: nothing is

  /// All units but those along the last dimension: what threads share.
  std::int64_t rows() const {
    std::int64_t rows = 1;
    for (std::int64_t d = 0; d + 1 < rank; ++d) rows *= sizes[d];
    return rows;
  }
};

/// y[i, j, …] = x[offsets[0][i] + offsets[1][j] + …], or fill when any of them is below 0; rows [begin, end).
void indexed_copy(const IndexedCopy& copy, std::int64_t begin, std::int64_t end);

/// Copies rows [begin, end) of `bytes` each, which begin every x_stride and y_stride bytes.
void copy_rows(const void* x, std::int64_t x_stride, void* y, std::int64_t y_stride, std::int64_t bytes,
               std::int64_t begin, std::int64_t end);

}  // namespace samebits::kernels
