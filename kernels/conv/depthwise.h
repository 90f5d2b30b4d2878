// Exact int32 sums of a convolution whose outputs see one input channel each: too few products for a matrix
// multiplication. Lanes run along pixels; taps are taken in pairs, as a product of two 16-bit pairs is one
// instruction.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/common/kernel.h"

namespace samebits::kernels {

/// Two neighbouring taps, or one and a weight of 0: what they add to the sum of pixel p is
/// x[offset + step * p] * weights[0] + x[offset + step * p + 1] * weights[1].
struct TapPair {
  std::int64_t offset;
  std::int16_t weights[2];  // codes
};

/// An implementation may read this many codes behind the ones that its sums need, and write as many sums
/// behind the last row.
constexpr std::int64_t kDepthwiseSlack = 64;

/// One output plane: sums[row][column] over all pairs, for codes and weights of [-128, 127].
struct DepthwiseArgs {
  const std::int16_t* x;   // where output (0, 0) reads at offset 0
  std::int64_t row_codes;  // elements between what two output rows read
  std::int64_t step;       // elements between what two output columns read: 1 or 2
  std::span<const TapPair> pairs;
  std::int64_t columns;
  std::int32_t* sums;  // rows of `columns`, without gaps
};

/// Rows [begin, end). Rows are written in ascending order, each with up to kDepthwiseSlack elements of no
/// meaning behind it. Does not allocate or throw.
extern const Kernel<void(const DepthwiseArgs& args, std::int64_t begin, std::int64_t end)> depthwise_sums;

struct WidenRowsArgs {
  const std::int8_t* codes;  // rows `codes_row` elements apart
  std::int64_t codes_row;
  std::int16_t* to;  // rows `to_row` elements apart
  std::int64_t to_row, n, rows;
};

/// to[row * to_row + i] = codes[row * codes_row + i] as 16 bits for i < n: the x of depthwise_sums. Reads and
/// writes nothing else.
extern const Kernel<void(const WidenRowsArgs& args)> widen_rows;

}  // namespace samebits::kernels
