// Tensors of any float type and their grids, for the fuzz targets of element-wise kernels.
#pragma once

#include "kernels/common/float_type.h"
#include "tests/fuzz/fuzz_case.h"

namespace samebits::fuzz {

/// A grid table with its arrays, and how many elements its tensor has: per tensor, per channel on any axis,
/// or in groups; at most about 6000 elements.
struct Grids {
  kernels::GridTable table;
  std::int64_t elements;
  Block<float> scale;
  Block<std::int32_t> zero_point;

  explicit Grids(Source& source) : table(any_shape(source)), scale(table.grids()), zero_point(table.grids()) {
    const std::int64_t pass = table.rows * table.row_length;
    elements = pass * source.between(1, std::clamp<std::int64_t>(6000 / pass, 1, 4));
    for (std::int64_t i = 0; i < table.grids(); ++i) {
      scale[i] = any_scale(source);
      zero_point[i] = source.drawn(table.qmin, table.qmax);
    }
    table.scale = scale.data();
    if (table.qmin > 0 || table.qmax < 0 || source.flag()) table.zero_point = zero_point.data();
  }
  Grids(const Grids&) = delete;

 private:
  static kernels::GridTable any_shape(Source& source) {
    const std::int64_t channels = source.size(1, 9, 2500);
    const std::int64_t inner = source.size(1, 150, std::max<std::int64_t>(1, 5000 / channels));
    const std::int64_t group_size = source.flag() ? source.between(1, inner) : inner;
    const auto qmin = static_cast<std::int32_t>(source.between(-128, 126));
    const auto qmax = static_cast<std::int32_t>(source.between(qmin + 1, 127));
    return {nullptr, nullptr, qmin, qmax, inner, group_size, channels};
  }
};

/// n elements of `type`, as many bytes each as it has.
struct Tensor {
  kernels::FloatType type;
  Block<float> floats;
  Block<std::uint16_t> halves;

  Tensor(kernels::FloatType type, std::int64_t n, std::int64_t offset)
      : type(type), floats(is_float() ? n : 0, offset), halves(is_float() ? 0 : n, offset) {}
  bool is_float() const { return type == kernels::FloatType::kFloat32; }
  void* data() { return is_float() ? static_cast<void*>(floats.data()) : halves.data(); }
  const void* data() const { return is_float() ? static_cast<const void*>(floats.data()) : halves.data(); }
  void set(std::int64_t i, float value) {
    if (is_float()) floats[i] = value;
    if (type == kernels::FloatType::kBfloat16) halves[i] = kernels::to_bfloat16(value).bits;
    if (type == kernels::FloatType::kFloat16) halves[i] = kernels::to_float16(value).bits;
  }
};

inline void expect_same(const std::string& what, const Tensor& got, const Tensor& expected) {
  expect_same(what, got.floats, expected.floats);
  expect_same(what, got.halves, expected.halves);
}

inline kernels::FloatType any_type(Source& source) {
  using kernels::FloatType;
  constexpr FloatType kTypes[] = {FloatType::kFloat32, FloatType::kBfloat16, FloatType::kFloat16};
  return source.choice(kTypes);
}

/// Elements that are hard to quantize on the table's grids.
inline Tensor hard_tensor(Source& source, kernels::FloatType type, const Grids& grids) {
  Tensor x(type, grids.elements, source.between(0, 7));
  for (std::int64_t i = 0; i < grids.elements; ++i)
    x.set(i, hard_float(source, grids.table.scale[grids.table.index_of(i)]));
  return x;
}

/// A range of elements, and the pieces that implementations run it in.
struct Split {
  std::int64_t begin, end;
  std::vector<Piece> parts;
};
/// Cuts at multiples of `step`; a whole tensor, or any part of it that begins at a multiple of `step`.
inline Split any_split(Source& source, std::int64_t n, std::int64_t step) {
  const bool whole = source.flag();
  const std::int64_t begin = whole ? 0 : source.between(0, n) / step * step;
  const std::int64_t end = whole ? n : source.between(begin, n);
  return {begin, end, pieces(source, begin, end, step)};
}

}  // namespace samebits::fuzz
