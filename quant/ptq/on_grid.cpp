#include "quant/ptq/on_grid.h"

#include <algorithm>
#include <cmath>

#include "kernels/common/affine.h"

namespace samebits::quant {

OwnGrids::OwnGrids(const float* values, std::int64_t rows, std::int64_t row_length, const Encoding& encoding)
    : values_(values), row_length_(row_length), encoding_(encoding), sets_range_(rows * row_length, 0) {
  QuantizedTensor tensor = encode(values, {rows, row_length}, encoding);
  scale_ = std::move(tensor.scale);
  zero_point_ = std::move(tensor.zero_point);
  std::vector<std::int64_t> least(scale_.size(), -1), greatest(scale_.size(), -1);
  for (std::int64_t i = 0; i < rows * row_length; ++i) {
    const std::int64_t grid = grid_index(i / row_length, i % row_length);
    if (least[grid] < 0 || values[i] < values[least[grid]]) least[grid] = i;
    if (greatest[grid] < 0 || values[i] > values[greatest[grid]]) greatest[grid] = i;
  }
  for (const auto* indices : {&least, &greatest})
    for (const std::int64_t index : *indices) sets_range_[index] = 1;
}

std::int64_t OwnGrids::grid_index(std::int64_t row, std::int64_t column) const {
  if (encoding_.granularity == Granularity::kPerTensor) return 0;
  const bool is_grouped = encoding_.granularity == Granularity::kPerGroup;
  const std::int64_t group = is_grouped ? column / encoding_.group_size : 0;
  return row * groups_per_row(encoding_, row_length_) + group;
}

float OwnGrids::nearest_real(std::int64_t row, std::int64_t column, double target) const {
  const std::int64_t index = row * row_length_ + column, grid_at = grid_index(row, column);
  const kernels::AffineGrid grid{scale_[grid_at], encoding_.symmetric ? 0 : zero_point_[grid_at],
                                 encoding_.qmin, encoding_.qmax};
  const float r = sets_range_[index] != 0 ? values_[index] : static_cast<float>(target);
  return kernels::dequantize(kernels::code_at(kernels::grid_position(r, grid), grid), grid);
}

bool lies_on_own_grids(const std::vector<float>& reals, std::int64_t rows, std::int64_t row_length,
                       const Encoding& encoding) {
  const QuantizedTensor tensor = encode(reals.data(), {rows, row_length}, encoding);
  std::vector<float> again(reals.size());
  decode(tensor, again.data());
  constexpr float kUnits = 4 * 0x1p-24f;  // of the scale, of the product, of both before
  for (std::size_t i = 0; i < reals.size(); ++i)
    if (!(std::fabs(again[i] - reals[i]) <= kUnits * std::fabs(reals[i]))) return false;
  return true;
}

}  // namespace samebits::quant
