#include "kernels/matmul/packed_weight.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "kernels/matmul/gemm_int8.h"

namespace samebits::kernels {
namespace {

/// Notes each group's sum and scale.
void note_groups(const std::int8_t* centered, const float* scale, std::int64_t row, PackedWeight& packed) {
  for (std::int64_t group = 0; group < packed.groups(); ++group) {
    const std::int64_t begin = group * packed.group_size, end = std::min(begin + packed.group_size, packed.k);
    std::int32_t sum = 0;
    for (std::int64_t i = begin; i < end; ++i) sum += centered[i];
    packed.sums[group * packed.n + row] = sum;
    packed.scale[group * packed.n + row] = scale[group];
  }
}

}  // namespace

PackedWeight allocate_packed_weight(WeightOrder order, std::int64_t n, std::int64_t k,
                                    std::int64_t group_size) {
  // The kernels sum in quads, so that a group starts at a multiple of 4.
  if (group_size < 0 || group_size % 4 != 0)
    throw std::invalid_argument("[linear] weight group_size: expected a multiple of 4, got " +
                                std::to_string(group_size) + "; use 32, 64 or 128");
  PackedWeight packed{.order = order, .n = n, .k = k};
  packed.grouped = group_size > 0;
  packed.group_size = packed.grouped ? group_size : k;
  if (order == WeightOrder::kInt4) {
    const Int4Shape shape = int4_shape(packed);
    packed.codes.resize(shape.packed_bytes());
    packed.scale.resize(shape.terms());
    return packed;
  }
  packed.sums.resize(packed.groups() * n);
  packed.scale.resize(packed.groups() * n);
  packed.codes.resize(order == WeightOrder::kGemm ? packed_size(n, k) : n * k);
  return packed;
}

Int4Shape int4_shape(const PackedWeight& packed) {
  return {packed.n, packed.k, packed.grouped ? packed.group_size : 0};
}

void pack_int4_rows(const std::int8_t* codes, const float* scale, const std::int32_t* zero_point,
                    std::int64_t first, std::int64_t last, PackedWeight& packed) {
  // The packing functions take whole matrices: these rows are one, packed to where they begin.
  const Int4Shape rows{last - first, packed.k, packed.grouped ? packed.group_size : 0};
  const std::int64_t block = first / Int4Shape::kColumns, term = rows.term_offset(block, 0);
  auto* levels = reinterpret_cast<std::uint8_t*>(packed.codes.data()) + rows.line_offset(block, 0);
  pack_gemm_int4(rows, codes, kInt4Qmin, levels, 0, rows.n);
  pack_gemm_int4_scales(rows, scale, packed.scale.data() + term, 0, rows.n);
  if (zero_point != nullptr)
    pack_gemm_int4_zero_points(rows, zero_point, kInt4Qmin, packed.zero_levels.data() + term, 0, rows.n);
}

void pack_weight_rows(const std::int8_t* centered, const RowScales& scales, std::int64_t first,
                      std::int64_t last, PackedWeight& packed) {
  for (std::int64_t row = first; row < last; ++row) {
    const float* scale = scales.scale + (scales.one_for_all ? 0 : (row - first) * packed.groups());
    note_groups(centered + (row - first) * packed.k, scale, row, packed);
  }
  if (packed.order == WeightOrder::kRows) {
    std::copy_n(centered, (last - first) * packed.k, packed.codes.data() + first * packed.k);
    return;
  }
  for (std::int64_t block = first; block < last; block += kColumnBlock) {
    const std::int64_t rows = std::min(kColumnBlock, last - block);
    pack_gemm_b(centered + (block - first) * packed.k, rows, packed.k,
                packed.codes.data() + packed_index(block, 0, packed.k), 0, rows);
  }
}

}  // namespace samebits::kernels
