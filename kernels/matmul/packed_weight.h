// A layer's weight as the kernels read it: codes centered on their zero points, in the order of the product
// that reads them, with the sums and scales of each group. Made from codes, row by row, so that a producer
// can pack what is still in cache (docs/numerics.md §4 and §5).
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/common/aligned_vector.h"

namespace samebits::kernels {

/// Which product reads it: linear() the blocks of gemm_int8.h, conv2d() plain rows.
enum class WeightOrder { kGemm, kRows };

struct PackedWeight {
  WeightOrder order = WeightOrder::kGemm;
  std::int64_t n = 0, k = 0;    // rows (output channels), and their length
  std::int64_t group_size = 0;  // k when there are no groups
  bool grouped = false;
  AlignedVector<std::int8_t> codes;  // kGemm: gemm_int8.h; kRows: [n][k]
  std::vector<std::int32_t> sums;    // [groups][n]: sums of centered codes
  std::vector<float> scale;          // [groups][n]

  std::int64_t groups() const { return group_size == 0 ? 0 : (k + group_size - 1) / group_size; }
};

/// The arrays, not filled. group_size 0: no groups; else a multiple of 4. Throws std::invalid_argument on
/// another.
PackedWeight allocate_packed_weight(WeightOrder order, std::int64_t n, std::int64_t k,
                                    std::int64_t group_size);

/// The scales of rows from `first` on: as many a row as it has groups, or one for all rows.
struct RowScales {
  const float* scale;
  bool one_for_all = false;
};

/// Packs rows [first, last). `centered` are their codes minus zero points, which fit int8 (only symmetric
/// weights have 8 bits), beginning with row `first`. `first` is a multiple of 16, `last` too or n; threads
/// can share the work by such ranges.
void pack_weight_rows(const std::int8_t* centered, const RowScales& scales, std::int64_t first,
                      std::int64_t last, PackedWeight& packed);

}  // namespace samebits::kernels
