#include "quant/pack.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "kernels/matmul/gemm_int8.h"

namespace samebits::quant {
namespace {

std::int64_t packed_group_size(const Encoding& encoding) {
  return encoding.granularity == Granularity::kPerGroup ? encoding.group_size : 0;
}

/// The scales from row `row` on.
kernels::RowScales scales_from(const Encoding& encoding, const WeightView& weight, std::int64_t row) {
  const bool is_one = encoding.granularity == Granularity::kPerTensor;
  return {weight.scale + (is_one ? 0 : row * groups_per_row(encoding, weight.row_length)), is_one};
}

void check_count(const char* what, std::size_t got, std::int64_t expected) {
  if (static_cast<std::int64_t>(got) == expected) return;
  throw std::invalid_argument("[quant] " + std::string(what) + ": expected " + std::to_string(expected) +
                              " values for this encoding, got " + std::to_string(got));
}

}  // namespace

kernels::PackedWeight pack(const QuantizedTensor& tensor, kernels::WeightOrder order) {
  const std::int64_t n = tensor.rows(), k = tensor.row_length(), grids = scale_count(tensor.encoding, n, k);
  kernels::PackedWeight packed =
      kernels::allocate_packed_weight(order, n, k, packed_group_size(tensor.encoding));
  check_count("codes", tensor.codes.size(), n * k);
  check_count("scale", tensor.scale.size(), grids);
  check_count("zero_point", tensor.zero_point.size(), tensor.encoding.symmetric ? 0 : grids);
  QuantizedTensor copy = tensor;  // centered in place
  const WeightView view{nullptr, n, k, copy.scale.data(),
                        tensor.encoding.symmetric ? nullptr : copy.zero_point.data()};
  center_rows(tensor.encoding, view, 0, n, copy.codes.data());
  kernels::pack_weight_rows(copy.codes.data(), scales_from(tensor.encoding, view, 0), 0, n, packed);
  return packed;
}

WeightPacker::WeightPacker(const Encoding& encoding, const WeightView& weight, kernels::WeightOrder order)
    : encoding_(encoding),
      weight_(weight),
      packed_(kernels::allocate_packed_weight(order, weight.rows, weight.row_length,
                                              packed_group_size(encoding))) {}

NotFinite WeightPacker::pack_rows(std::int64_t first, std::int64_t last, bool finds_grids,
                                  std::vector<std::int8_t>& buffer) {
  const std::int64_t k = weight_.row_length;
  NotFinite seen;
  for (std::int64_t begin = first; begin < last; begin += kernels::kColumnBlock) {
    const std::int64_t end = std::min(begin + kernels::kColumnBlock, last);
    buffer.resize(kernels::kColumnBlock * k);
    if (finds_grids) seen = seen | find_grids(encoding_, weight_, begin, end);
    seen.nan |= encode_rows(encoding_, weight_, begin, end, buffer.data(), nullptr);
    center_rows(encoding_, weight_, begin, end, buffer.data());
    kernels::pack_weight_rows(buffer.data(), scales_from(encoding_, weight_, begin), begin, end, packed_);
  }
  return seen;
}

}  // namespace samebits::quant
