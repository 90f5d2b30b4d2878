// Which grid belongs to which element: one grid for a tensor, one a channel, a row, or a group. Every
// granularity is a row-major walk over runs of elements that share a grid, so that kernels see one grid at a
// time.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/common/affine.h"

namespace samebits::kernels {

/// Grids of a tensor seen as rows of `row_length` elements, each cut into groups of `group_size` (the last
/// may be short). Row r uses the grids of row r % rows. Per tensor: rows 1, both lengths the element count.
/// Per channel on the first axis, or per row (token): rows = channels, both lengths the elements of a
/// channel. On another axis: row_length = elements behind that axis. Per group: group_size < row_length.
struct GridTable {
  const float* scale;              // [rows][groups_per_row()]
  const std::int32_t* zero_point;  // the same shape; null: all 0
  std::int32_t qmin, qmax;
  std::int64_t row_length, group_size, rows;

  std::int64_t groups_per_row() const { return (row_length + group_size - 1) / group_size; }
  std::int64_t grids() const { return rows * groups_per_row(); }
  /// The grid of one element.
  std::int64_t index_of(std::int64_t element) const {
    return element / row_length % rows * groups_per_row() + element % row_length / group_size;
  }
  AffineGrid grid(std::int64_t index) const {
    return {scale[index], zero_point == nullptr ? 0 : zero_point[index], qmin, qmax};
  }
};

/// One grid for any number of elements. Reads `grid` for as long as the table is used.
inline GridTable table_of(const AffineGrid& grid) {
  constexpr std::int64_t kEndless = std::int64_t{1} << 61;
  return {&grid.scale, &grid.zero_point, grid.qmin, grid.qmax, kEndless, kEndless, 1};
}

/// The runs of [begin, end) in ascending order: elements [first(), last()) share grid index(). Divides once,
/// not once a run.
class GridRuns {
 public:
  GridRuns(const GridTable& table, std::int64_t begin, std::int64_t end)
      : row_length_(table.row_length),
        group_size_(table.group_size),
        grids_(table.grids()),
        end_(end),
        first_(begin) {
    const std::int64_t row_begin = begin / row_length_ * row_length_;
    const std::int64_t group_begin = row_begin + (begin - row_begin) / group_size_ * group_size_;
    row_end_ = row_begin + row_length_;
    group_end_ = std::min(group_begin + group_size_, row_end_);
    index_ = table.index_of(begin);
  }
  bool done() const { return first_ >= end_; }
  std::int64_t first() const { return first_; }
  std::int64_t last() const { return std::min(group_end_, end_); }
  std::int64_t index() const { return index_; }

  void next() {
    first_ = group_end_;
    if (done()) return;
    if (group_end_ == row_end_) row_end_ += row_length_;
    group_end_ = std::min(group_end_ + group_size_, row_end_);
    if (++index_ == grids_) index_ = 0;
  }

 private:
  std::int64_t row_length_, group_size_, grids_, end_, first_;
  std::int64_t row_end_, group_end_, index_;
};

/// Calls `run(first, last, index)` for every run of elements within [begin, end) that shares grid `index`.
template <class Run>
void for_each_run(const GridTable& table, std::int64_t begin, std::int64_t end, Run run) {
  if (begin >= end) return;
  for (GridRuns runs(table, begin, end); !runs.done(); runs.next())
    run(runs.first(), runs.last(), runs.index());
}

}  // namespace samebits::kernels
