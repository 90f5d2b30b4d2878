#include "quant/pack.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "kernels/matmul/gemm_int8.h"

namespace samebits::quant {
namespace {

/// Packs the codes of rows [first, last) of `weight`, which are centered on the way.
void pack_codes(const Encoding& encoding, const WeightView& weight, std::int64_t first, std::int64_t last,
                std::int8_t* codes, kernels::PackedWeight& packed) {
  const bool is_one = encoding.granularity == Granularity::kPerTensor;
  const std::int64_t grid = is_one ? 0 : first * groups_per_row(encoding, weight.row_length);
  if (packed.order == kernels::WeightOrder::kInt4) {
    const std::int32_t* zero_point = weight.zero_point == nullptr ? nullptr : weight.zero_point + grid;
    kernels::pack_int4_rows(codes, weight.scale + grid, zero_point, first, last, packed);
    return;
  }
  center_rows(encoding, weight, first, last, codes);
  kernels::pack_weight_rows(codes, {weight.scale + grid, is_one}, first, last, packed);
}

void check_count(const char* what, std::size_t got, std::int64_t expected) {
  if (static_cast<std::int64_t>(got) == expected) return;
  throw std::invalid_argument("[quant] " + std::string(what) + ": expected " + std::to_string(expected) +
                              " values for this encoding, got " + std::to_string(got));
}

/// Room for a packed weight of this encoding.
kernels::PackedWeight allocate(const Encoding& encoding, std::int64_t n, std::int64_t k,
                               kernels::WeightOrder order) {
  const std::int64_t group_size = encoding.granularity == Granularity::kPerGroup ? encoding.group_size : 0;
  kernels::PackedWeight packed = kernels::allocate_packed_weight(order, n, k, group_size);
  if (order == kernels::WeightOrder::kInt4 && !encoding.symmetric)
    packed.zero_levels.resize(packed.scale.size());
  return packed;
}

}  // namespace

kernels::WeightOrder linear_order(const Encoding& encoding) {
  const bool fits = encoding.granularity == Granularity::kPerGroup && encoding.qmin >= kernels::kInt4Qmin &&
                    encoding.qmax <= kernels::kInt4Qmax;
  return fits ? kernels::WeightOrder::kInt4 : kernels::WeightOrder::kGemm;
}

kernels::PackedWeight pack(const QuantizedTensor& tensor, kernels::WeightOrder order) {
  const std::int64_t n = tensor.rows(), k = tensor.row_length(), grids = scale_count(tensor.encoding, n, k);
  kernels::PackedWeight packed = allocate(tensor.encoding, n, k, order);
  check_count("codes", tensor.codes.size(), n * k);
  check_count("scale", tensor.scale.size(), grids);
  check_count("zero_point", tensor.zero_point.size(), tensor.encoding.symmetric ? 0 : grids);
  QuantizedTensor copy = tensor;  // centered in place
  const WeightView view{nullptr, n, k, copy.scale.data(),
                        tensor.encoding.symmetric ? nullptr : copy.zero_point.data()};
  pack_codes(tensor.encoding, view, 0, n, copy.codes.data(), packed);
  return packed;
}

WeightPacker::WeightPacker(const Encoding& encoding, const WeightView& weight, kernels::WeightOrder order)
    : encoding_(encoding),
      weight_(weight),
      packed_(allocate(encoding, weight.rows, weight.row_length, order)) {}

NotFinite WeightPacker::pack_rows(std::int64_t first, std::int64_t last, bool finds_grids,
                                  std::vector<std::int8_t>& buffer) {
  const std::int64_t k = weight_.row_length;
  NotFinite seen;
  for (std::int64_t begin = first; begin < last; begin += kernels::kColumnBlock) {
    const std::int64_t end = std::min(begin + kernels::kColumnBlock, last);
    buffer.resize(kernels::kColumnBlock * k);
    if (finds_grids) seen = seen | find_grids(encoding_, weight_, begin, end);
    seen.nan |= encode_rows(encoding_, weight_, begin, end, buffer.data(), nullptr);
    pack_codes(encoding_, weight_, begin, end, buffer.data(), packed_);
  }
  return seen;
}

}  // namespace samebits::quant
