// A tensor cut for reductions: rows, groups of a row (the segments, one result each), and chunks of a segment
// (one warp or block each). Chunks do not depend on the launch, so neither do the bits of what is summed over
// them.
#pragma once

#include <cstdint>

#include "kernels/common/host_device.h"

namespace samebits::kernels::cuda {

constexpr std::int64_t kChunk = 4096;  // elements

struct Segments {
  std::int64_t rows, row_length, group_size;  // as in kernels/common/grid_table.h
  std::int64_t groups_per_row, chunks_per_segment;

  /// group_size 0: a row is one segment. An empty row is one, too, without chunks.
  static Segments of(std::int64_t rows, std::int64_t row_length, std::int64_t group_size) {
    if (group_size == 0 || group_size > row_length) group_size = row_length;
    const std::int64_t groups = row_length == 0 ? 1 : (row_length + group_size - 1) / group_size;
    return {rows, row_length, group_size, groups, (group_size + kChunk - 1) / kChunk};
  }

  SAMEBITS_HOST_DEVICE std::int64_t count() const { return rows * groups_per_row; }
  SAMEBITS_HOST_DEVICE std::int64_t chunks() const { return count() * chunks_per_segment; }

  /// Elements of chunk number `item` of all chunks; none where a short segment has ended.
  SAMEBITS_HOST_DEVICE std::int64_t chunk_begin(std::int64_t item) const {
    const std::int64_t begin = segment_begin(item / chunks_per_segment) + item % chunks_per_segment * kChunk;
    const std::int64_t end = segment_end(item / chunks_per_segment);
    return begin < end ? begin : end;
  }
  SAMEBITS_HOST_DEVICE std::int64_t chunk_end(std::int64_t item) const {
    const std::int64_t begin = chunk_begin(item), end = segment_end(item / chunks_per_segment);
    return begin + kChunk < end ? begin + kChunk : end;
  }

  SAMEBITS_HOST_DEVICE std::int64_t segment_begin(std::int64_t segment) const {
    return segment / groups_per_row * row_length + segment % groups_per_row * group_size;
  }
  SAMEBITS_HOST_DEVICE std::int64_t segment_end(std::int64_t segment) const {
    const std::int64_t end = segment_begin(segment) + group_size;
    const std::int64_t row_end = (segment / groups_per_row + 1) * row_length;
    return end < row_end ? end : row_end;
  }
};

}  // namespace samebits::kernels::cuda
