// A layer's weight as the kernels read it: codes centered on their zero points, in the order of the product
// that reads them, with the sums and scales of each group. Made from codes, row by row, so that a producer
// can pack what is still in cache (docs/numerics.md §4 and §5).
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/common/aligned_vector.h"
#include "kernels/formats/pack_int4.h"

namespace samebits::kernels {

/// Which product reads it: linear() the blocks of gemm_int8.h, or, where 4 bits are enough, those of
/// gemm_int4.h; conv2d() plain rows.
enum class WeightOrder { kGemm, kInt4, kRows };

struct PackedWeight {
  WeightOrder order = WeightOrder::kGemm;
  std::int64_t n = 0, k = 0;    // rows (output channels), and their length
  std::int64_t group_size = 0;  // k when there are no groups
  bool grouped = false;
  AlignedVector<std::int8_t> codes;         // kGemm: gemm_int8.h; kInt4: levels, two a byte; kRows: [n][k]
  std::vector<std::int32_t> sums;           // [groups][n]: sums of centered codes; kInt4: empty
  AlignedVector<float> scale;               // [groups][n]; kInt4: as gemm_int4.h orders terms
  AlignedVector<std::uint8_t> zero_levels;  // kInt4: zero points in the order of scale; empty: symmetric

  std::int64_t groups() const { return group_size == 0 ? 0 : (k + group_size - 1) / group_size; }
};

/// The arrays, not filled; whoever packs an affine weight in order kInt4 adds zero_levels, as many as scale.
/// group_size 0: no groups; else a multiple of 4. Throws std::invalid_argument on another.
PackedWeight allocate_packed_weight(WeightOrder order, std::int64_t n, std::int64_t k,
                                    std::int64_t group_size);

/// The shape of a weight in order kInt4.
Int4Shape int4_shape(const PackedWeight& packed);

/// The scales of rows from `first` on: as many a row as it has groups, or one for all rows.
struct RowScales {
  const float* scale;
  bool one_for_all = false;
};

/// The codes that kInt4 holds.
constexpr std::int32_t kInt4Qmin = -8, kInt4Qmax = 7;

/// Packs rows [first, last) in order kInt4. `codes` are within [kInt4Qmin, kInt4Qmax] and not centered; scale
/// and zero_point (null: symmetric) begin with row `first`, as many a row as it has groups. Ranges as below.
void pack_int4_rows(const std::int8_t* codes, const float* scale, const std::int32_t* zero_point,
                    std::int64_t first, std::int64_t last, PackedWeight& packed);

/// Packs rows [first, last) in the other orders. `centered` are their codes minus zero points, which fit int8
/// (only symmetric weights have 8 bits), beginning with row `first`. `first` is a multiple of 16, `last` too
/// or n; threads can share the work by such ranges.
void pack_weight_rows(const std::int8_t* centered, const RowScales& scales, std::int64_t first,
                      std::int64_t last, PackedWeight& packed);

}  // namespace samebits::kernels
