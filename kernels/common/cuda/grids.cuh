// kernels/common/grid_table.h on the device: the grids of a quad's elements, without a division an element. A
// tensor of one grid needs none at all; others divide once a quad, in 32 bits where the element count allows
// it.
#pragma once

#include <cstdint>

#include "kernels/common/affine.h"
#include "kernels/common/float_type.h"
#include "kernels/common/grid_table.h"

namespace samebits::kernels::cuda {

/// The arrays of a GridTable; zero_point may be null.
struct GridArrays {
  const float* scale;
  const std::int32_t* zero_point;
  std::int32_t qmin, qmax;

  __device__ AffineGrid grid(std::int64_t index) const {
    return {__ldg(scale + index), zero_point == nullptr ? 0 : __ldg(zero_point + index), qmin, qmax};
  }
};

/// One grid for all elements.
struct OneGrid {
  GridArrays arrays;

  struct Walk {
    AffineGrid grid;
    __device__ void advance() {}
  };
  __device__ Walk walk(std::int64_t /*first*/) const { return {arrays.grid(0)}; }
};

/// A table of grids for fewer than 2^32 elements (Index uint32) or more (uint64).
template <class Index>
struct ManyGrids {
  GridArrays arrays;
  Index row_length, group_size, rows, groups_per_row;  // group_size <= row_length

  /// The grid of one element, then of the next, and so on.
  struct Walk {
    const ManyGrids& table;
    Index row, column, group, group_end;
    AffineGrid grid;

    __device__ void load() {
      group_end = (group + 1) * table.group_size;
      if (group_end > table.row_length) group_end = table.row_length;
      grid = table.arrays.grid(static_cast<std::int64_t>(row) * table.groups_per_row + group);
    }
    __device__ void advance() {
      if (++column < group_end) return;
      ++group;
      if (column == table.row_length) {
        column = group = 0;
        row = row + 1 == table.rows ? 0 : row + 1;
      }
      load();
    }
  };
  __device__ Walk walk(std::int64_t first) const {
    const Index i = static_cast<Index>(first), row = i / row_length, column = i - row * row_length;
    Walk walk{*this, row % rows, column, column / group_size, 0, {}};
    walk.load();
    return walk;
  }
};

/// visit(grids) with the table in the cheapest of these forms, for n > 0 elements. Pointers are the device's.
template <class Visit>
const char* with_grids(const GridTable& table, std::int64_t n, Visit visit) {
  const GridArrays arrays{table.scale, table.zero_point, table.qmin, table.qmax};
  if (table.rows * table.groups_per_row() == 1) return visit(OneGrid{arrays});
  const auto many = [&](auto index) {
    using Index = decltype(index);
    return visit(ManyGrids<Index>{arrays, static_cast<Index>(table.row_length),
                                  static_cast<Index>(std::min(table.group_size, table.row_length)),
                                  static_cast<Index>(table.rows),
                                  static_cast<Index>(table.groups_per_row())});
  };
  return n <= INT32_MAX ? many(std::uint32_t{}) : many(std::uint64_t{});
}

/// visit(stored, grids) with a value of the C++ type of `type` besides.
template <class Visit>
const char* with_types_and_grids(FloatType type, const GridTable& table, std::int64_t n, Visit visit) {
  return with_float_type(type, [&](auto stored) {
    return with_grids(table, n, [&](const auto& grids) { return visit(stored, grids); });
  });
}

}  // namespace samebits::kernels::cuda
