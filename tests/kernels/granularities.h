// Tensors of every granularity, with the grid of an element computed from its coordinates instead of from
// runs.
#pragma once

#include <vector>

#include "kernels/common/grid_table.h"
#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {

/// A tensor [outer][channels][inner] with a grid a channel; or, with a group size, rows [channels][inner]
/// (outer 1) with a grid a group of `group_size` along `inner`. Per tensor: one channel.
struct Granularity {
  const char* why;
  std::int64_t outer, channels, inner, group_size;
  std::int64_t runs;  // how many the whole tensor has

  std::int64_t elements() const { return outer * channels * inner; }
  std::int64_t groups() const { return group_size == 0 ? 1 : (inner + group_size - 1) / group_size; }
  std::int64_t grids() const { return channels * groups(); }
  std::int64_t grid_index(std::int64_t element) const {
    const std::int64_t column = element % inner, channel = element / inner % channels;
    return channel * groups() + (group_size == 0 ? 0 : column / group_size);
  }
  GridTable table(const float* scale = nullptr, const std::int32_t* zero_point = nullptr) const {
    return {.scale = scale,
            .zero_point = zero_point,
            .qmin = -128,
            .qmax = 127,
            .row_length = inner,
            .group_size = group_size == 0 ? inner : group_size,
            .rows = channels};
  }
};

inline const Granularity kGranularities[] = {
    {"per tensor", 1, 1, 37, 0, 1},
    {"per channel on the first axis", 1, 5, 9, 0, 5},
    {"per channel on a middle axis", 3, 4, 6, 0, 12},
    {"per channel on the last axis: runs of one element", 7, 5, 1, 0, 35},
    {"one channel of many images", 3, 1, 11, 0, 3},
    {"groups that divide the row", 1, 3, 16, 8, 6},
    {"groups with a short last one", 1, 3, 19, 8, 9},
    {"groups of one element", 1, 2, 5, 1, 10},
    {"a group longer than the row", 1, 4, 6, 32, 4},
};

/// Larger ones, on either side of what makes a kernel walk in another way. `runs` is not filled in.
inline const Granularity kLargeGranularities[] = {
    {"rows of whole blocks", 1, 7, 48, 0, 0},
    {"groups of 32", 1, 3, 96, 32, 0},
    {"groups of 64 with a short last one of whole blocks", 1, 3, 144, 64, 0},
    {"groups of 128 with a short last one of 3", 1, 2, 131, 128, 0},
    {"long rows that begin inside a byte of the mask", 1, 3, 1027, 0, 0},
    {"three channels on the last axis", 1000, 3, 1, 0, 0},
    {"a pattern of grids that just fits, on the last axis", 3, 2032, 1, 0, 0},
    {"a pattern that just does not", 3, 2033, 1, 0, 0},
    {"many channels on the last axis", 2, 3000, 1, 0, 0},
    {"a short pattern on a middle axis", 9, 5, 49, 0, 0},
    {"a long pattern on a middle axis", 2, 301, 7, 0, 0},
    {"groups of one element in long rows", 1, 2, 2500, 1, 0},
};

inline std::vector<Granularity> all_granularities() {
  std::vector<Granularity> all(std::begin(kGranularities), std::end(kGranularities));
  all.insert(all.end(), std::begin(kLargeGranularities), std::end(kLargeGranularities));
  return all;
}

/// Grids for a tensor of `elements`: scales that differ, zero points of both signs.
struct Grids {
  std::vector<float> scale;
  std::vector<std::int32_t> zero_point;

  explicit Grids(std::int64_t count) {
    for (std::int64_t i = 0; i < count; ++i) {
      scale.push_back(0.05f + 0.013f * static_cast<float>(i % 40));
      zero_point.push_back(static_cast<std::int32_t>(i * 29 % 200 - 100));
    }
  }
  AffineGrid grid(std::int64_t index) const { return {scale[index], zero_point[index], -128, 127}; }
};

}  // namespace samebits::kernels
