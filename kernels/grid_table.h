// Which grid belongs to which element: one grid for a tensor, one a channel, or one a group. Every granularity
// is a row-major walk over runs of elements that share a grid, so that kernels see one grid at a time.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/affine.h"

namespace samebits::kernels {

/// Grids of a tensor seen as rows of `row_length` elements, each cut into groups of `group_size` (the last may
/// be short). Row r uses the grids of row r % rows. Per tensor: rows 1, both lengths the element count.
/// Per channel on the first axis: rows = channels, both lengths the elements of a channel. On another axis:
/// row_length = elements behind that axis. Per group: group_size < row_length.
struct GridTable {
  const float* scale;              // [rows][groups_per_row()]
  const std::int32_t* zero_point;  // the same shape; null: all 0
  std::int32_t qmin, qmax;
  std::int64_t row_length, group_size, rows;

  std::int64_t groups_per_row() const { return (row_length + group_size - 1) / group_size; }
  AffineGrid grid(std::int64_t index) const {
    return {scale[index], zero_point == nullptr ? 0 : zero_point[index], qmin, qmax};
  }
};

/// Calls `run(first, last, index)` for every run of elements within [begin, end) that shares grid `index`.
template <class Run>
void for_each_run(const GridTable& table, std::int64_t begin, std::int64_t end, Run run) {
  for (std::int64_t i = begin; i < end;) {
    const std::int64_t row = i / table.row_length, column = i % table.row_length;
    const std::int64_t group = column / table.group_size;
    const std::int64_t group_end = std::min((group + 1) * table.group_size, table.row_length);
    const std::int64_t last = std::min(end, i + group_end - column);
    run(i, last, row % table.rows * table.groups_per_row() + group);
    i = last;
  }
}

}  // namespace samebits::kernels
