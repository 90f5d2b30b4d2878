// From weights to the form that kernels read: of codes that exist, or of float values that are encoded and
// packed while they are in cache, as each training step does.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/matmul/packed_weight.h"
#include "quant/encode.h"

namespace samebits::quant {

/// The order in which linear() reads a weight of this encoding: kInt4 for 4 bits in groups, whose product is
/// 1.4 to 2.2 times as fast as that of a byte a code (docs/performance.md), else kGemm.
kernels::WeightOrder linear_order(const Encoding& encoding);

/// Packs codes as they are. Throws std::invalid_argument like kernels::allocate_packed_weight(), and when the
/// number of scales, zero points or codes does not fit the encoding.
kernels::PackedWeight pack(const QuantizedTensor& tensor, kernels::WeightOrder order);

/// Packs a float weight by ranges of rows, which threads share.
class WeightPacker {
 public:
  /// `weight` must outlive the packer; its grids are given, or filled by pack_rows().
  WeightPacker(const Encoding& encoding, const WeightView& weight, kernels::WeightOrder order);

  /// Rows [first, last), first a multiple of 16, last too or all rows. `finds_grids`: their grids are made
  /// from their own ranges first (not per tensor: call find_grids() before). `buffer` is scratch memory of
  /// the calling thread.
  NotFinite pack_rows(std::int64_t first, std::int64_t last, bool finds_grids,
                      std::vector<std::int8_t>& buffer);

  /// The whole, when all rows are packed.
  kernels::PackedWeight take() { return std::move(packed_); }

 private:
  Encoding encoding_;
  WeightView weight_;
  kernels::PackedWeight packed_;
};

}  // namespace samebits::quant
