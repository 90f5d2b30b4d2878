#include "quant/encode.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <string>
#include <utility>

#include "kernels/common/affine.h"
#include "kernels/common/grid_table.h"
#include "kernels/observe/min_max.h"
#include "kernels/quantize/quantize.h"

namespace samebits::quant {
namespace {

/// Grid `index` from a range.
NotFinite set_grid(const Encoding& encoding, const WeightView& weight, std::int64_t index,
                   const kernels::MinMax& range) {
  // Infinite, or nothing but NaN: then min is +inf.
  const bool is_finite = std::isfinite(range.min) && std::isfinite(range.max);
  const float min = is_finite ? range.min : 0.0f, max = is_finite ? range.max : 0.0f;
  const kernels::AffineGrid grid =
      kernels::grid_of_range(min, max, encoding.qmin, encoding.qmax, encoding.symmetric);
  weight.scale[index] = grid.scale;
  if (weight.zero_point != nullptr) weight.zero_point[index] = grid.zero_point;
  return {.nan = range.saw_nan, .infinity = !is_finite && !range.saw_nan};
}

/// The grids of rows from `begin` on, for arrays that begin there too.
kernels::GridTable table_of_rows(const Encoding& encoding, const WeightView& weight, std::int64_t begin) {
  const bool is_one = encoding.granularity == Granularity::kPerTensor;
  const std::int64_t length =
      std::max<std::int64_t>(is_one ? weight.rows * weight.row_length : weight.row_length, 1);
  const bool is_grouped = encoding.granularity == Granularity::kPerGroup;
  const std::int64_t first = is_one ? 0 : begin * groups_per_row(encoding, weight.row_length);
  return {.scale = weight.scale + first,
          .zero_point = weight.zero_point == nullptr ? nullptr : weight.zero_point + first,
          .qmin = encoding.qmin,
          .qmax = encoding.qmax,
          .row_length = length,
          .group_size = is_grouped ? encoding.group_size : length,
          .rows = is_one ? 1 : std::max<std::int64_t>(weight.rows - begin, 1)};
}

}  // namespace

NotFinite find_grids(const Encoding& encoding, const WeightView& weight, std::int64_t begin,
                     std::int64_t end) {
  const std::int64_t k = weight.row_length;
  if (encoding.granularity == Granularity::kPerTensor)
    return set_grid(encoding, weight, 0, kernels::min_max(weight.values, begin * k, end * k));
  const std::int64_t groups = groups_per_row(encoding, k);
  const std::int64_t length = encoding.granularity == Granularity::kPerGroup ? encoding.group_size : k;
  NotFinite seen;
  for (std::int64_t row = begin; row < end; ++row)
    for (std::int64_t group = 0; group < groups; ++group) {
      const std::int64_t first = row * k + group * length, last = std::min(first + length, (row + 1) * k);
      seen = seen |
             set_grid(encoding, weight, row * groups + group, kernels::min_max(weight.values, first, last));
    }
  return seen;
}

bool encode_rows(const Encoding& encoding, const WeightView& weight, std::int64_t begin, std::int64_t end,
                 std::int8_t* codes, std::uint8_t* clip_mask) {
  const kernels::QuantizeArgs args{
      .x = weight.values + begin * weight.row_length, .codes = codes, .clip_mask = clip_mask};
  return kernels::quantize(args, table_of_rows(encoding, weight, begin), 0,
                           (end - begin) * weight.row_length);
}

void center_rows(const Encoding& encoding, const WeightView& weight, std::int64_t begin, std::int64_t end,
                 std::int8_t* codes) {
  if (weight.zero_point == nullptr) return;
  const kernels::GridTable table = table_of_rows(encoding, weight, begin);
  kernels::for_each_run(table, 0, (end - begin) * weight.row_length,
                        [&](std::int64_t first, std::int64_t last, std::int64_t index) {
                          const std::int32_t zero_point = table.zero_point[index];
                          for (std::int64_t i = first; i < last; ++i)
                            codes[i] = static_cast<std::int8_t>(codes[i] - zero_point);
                        });
}

QuantizedTensor encode(const float* values, std::vector<std::int64_t> shape, const Encoding& encoding) {
  QuantizedTensor tensor{.encoding = encoding, .shape = std::move(shape)};
  const std::int64_t rows = tensor.rows(), row_length = tensor.row_length();
  if (rows * row_length == 0)
    throw std::invalid_argument("[quant] weight: expected at least 1 element, got none");
  const std::int64_t grids = scale_count(encoding, rows, row_length);
  tensor.codes.resize(rows * row_length);
  tensor.scale.resize(grids);
  if (!encoding.symmetric) tensor.zero_point.resize(grids);
  const WeightView weight{values, rows, row_length, tensor.scale.data(),
                          encoding.symmetric ? nullptr : tensor.zero_point.data()};
  if (const NotFinite seen = find_grids(encoding, weight, 0, rows))
    throw std::invalid_argument(std::string("[quant] weight: expected finite values, got ") +
                                (seen.nan ? "NaN" : "infinity"));
  encode_rows(encoding, weight, 0, rows, tensor.codes.data(), nullptr);
  return tensor;
}

QuantizedTensor encode_on(const float* values, std::vector<std::int64_t> shape, const Encoding& encoding,
                          Grids grids) {
  QuantizedTensor tensor{.encoding = encoding,
                         .shape = std::move(shape),
                         .scale = std::move(grids.scale),
                         .zero_point = std::move(grids.zero_point)};
  const std::int64_t rows = tensor.rows(), row_length = tensor.row_length();
  if (rows * row_length == 0)
    throw std::invalid_argument("[quant] weight: expected at least 1 element, got none");
  const auto count = static_cast<std::size_t>(scale_count(encoding, rows, row_length));
  const std::size_t zero_points = encoding.symmetric ? 0 : count;
  if (tensor.scale.size() != count || tensor.zero_point.size() != zero_points)
    throw std::invalid_argument("[quant] grids: expected " + std::to_string(count) + " scales and " +
                                std::to_string(zero_points) + " zero points, got " +
                                std::to_string(tensor.scale.size()) + " and " +
                                std::to_string(tensor.zero_point.size()));
  tensor.codes.resize(rows * row_length);
  const WeightView weight{values, rows, row_length, tensor.scale.data(),
                          encoding.symmetric ? nullptr : tensor.zero_point.data()};
  encode_rows(encoding, weight, 0, rows, tensor.codes.data(), nullptr);
  return tensor;
}

void decode(const QuantizedTensor& tensor, float* values) {
  QuantizedTensor copy = tensor;  // a view has pointers that are not const
  const WeightView weight{nullptr, tensor.rows(), tensor.row_length(), copy.scale.data(),
                          tensor.encoding.symmetric ? nullptr : copy.zero_point.data()};
  const kernels::GridTable table = table_of_rows(tensor.encoding, weight, 0);
  kernels::for_each_run(table, 0, static_cast<std::int64_t>(tensor.codes.size()),
                        [&](std::int64_t first, std::int64_t last, std::int64_t index) {
                          const kernels::AffineGrid grid{
                              table.scale[index], table.zero_point == nullptr ? 0 : table.zero_point[index],
                              table.qmin, table.qmax};
                          for (std::int64_t i = first; i < last; ++i)
                            values[i] = kernels::dequantize(tensor.codes[i], grid);
                        });
}

void decode_row(const QuantizedTensor& tensor, std::int64_t row, float* values) {
  const Encoding& encoding = tensor.encoding;
  const auto index = static_cast<std::size_t>(row);
  const kernels::AffineGrid grid{tensor.scale[index], encoding.symmetric ? 0 : tensor.zero_point[index],
                                 encoding.qmin, encoding.qmax};
  const std::int64_t length = tensor.row_length();
  const std::int8_t* codes = tensor.codes.data() + row * length;
  for (std::int64_t i = 0; i < length; ++i) values[i] = kernels::dequantize(codes[i], grid);
}

}  // namespace samebits::quant
