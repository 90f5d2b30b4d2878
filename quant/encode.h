// The one producer of codes: from float values to grids and from values on grids to codes. Training packs
// what comes from here, backward rebuilds its operands with it, export and report store it; so they cannot
// differ.
#pragma once

#include <cstdint>
#include <vector>

#include "quant/encoding.h"
#include "quant/quantized_tensor.h"

namespace samebits::quant {

/// A float weight and the arrays of its grids. Owns nothing.
struct WeightView {
  const float* values;  // [rows][row_length]
  std::int64_t rows, row_length;
  float* scale;              // scale_count() values
  std::int32_t* zero_point;  // as many; null: symmetric
};

/// What stood in a weight besides finite numbers.
struct NotFinite {
  bool nan = false, infinity = false;
  explicit operator bool() const { return nan || infinity; }
};
inline NotFinite operator|(const NotFinite& a, const NotFinite& b) {
  return {a.nan || b.nan, a.infinity || b.infinity};
}

/// Fills the grids of rows [begin, end) from their ranges (kernels/common/affine.h, grid_of_range); per
/// tensor the one grid, for which all rows are asked. What is not finite is reported, and its grid is that
/// of zeros.
NotFinite find_grids(const Encoding& encoding, const WeightView& weight, std::int64_t begin,
                     std::int64_t end);

/// The codes of rows [begin, end), `codes` beginning with row `begin`; a NaN gets its zero point.
/// `clip_mask`, or null: one bit an element, 1 where the code was clipped, beginning with row `begin`, whose
/// first element is at a multiple of 8. Returns whether there was a NaN.
bool encode_rows(const Encoding& encoding, const WeightView& weight, std::int64_t begin, std::int64_t end,
                 std::int8_t* codes, std::uint8_t* clip_mask);

/// codes - zero points, in place, of rows [begin, end), `codes` beginning with row `begin`: what products
/// multiply. Fits int8, since affine weights have at most 7 bits.
void center_rows(const Encoding& encoding, const WeightView& weight, std::int64_t begin, std::int64_t end,
                 std::int8_t* codes);

/// A weight [shape[0], …] on the grids of its own ranges. Throws std::invalid_argument when it is not finite
/// or empty.
QuantizedTensor encode(const float* values, std::vector<std::int64_t> shape, const Encoding& encoding);

/// The grids of a tensor: 1, [out] or [out][groups]; zero points are empty when symmetric.
struct Grids {
  std::vector<float> scale;
  std::vector<std::int32_t> zero_point;
};

/// The same on grids that are given. Throws std::invalid_argument also when their number does not fit.
QuantizedTensor encode_on(const float* values, std::vector<std::int64_t> shape, const Encoding& encoding,
                          Grids grids);

/// The reals that the codes stand for, as many.
void decode(const QuantizedTensor& tensor, float* values);

/// Those of one row of a tensor with a grid a channel: row_length() of them.
void decode_row(const QuantizedTensor& tensor, std::int64_t row, float* values);

}  // namespace samebits::quant
