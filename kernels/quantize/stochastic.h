// float -> int8 codes with stochastic rounding: up with the probability of the part above the code below, so
// that the mean of the codes is the quotient. For gradients and updates smaller than a step. Memory traffic
// as quantize.h.
#pragma once

#include <cstdint>

#include "kernels/common/affine.h"
#include "kernels/common/float_type.h"
#include "kernels/common/grid_table.h"
#include "kernels/common/kernel.h"
#include "kernels/common/philox.h"

namespace samebits::kernels {

/// The arrays of one call, n elements each, of any alignment (of their type's at least).
struct StochasticArgs {
  const void* x;  // of `type`
  std::int8_t* codes;
  std::uint8_t* clip_mask;  // as in fake_quantize.h; null: not wanted
  FloatType type = FloatType::kFloat32;
  std::uint64_t seed = 0, stream = 0;  // another pair, other numbers: philox.h
};

/// floor(r / scale + u) + zero_point before clipping, u = unit_float of the element's word: fl(r / scale) = v
/// goes up where u >= fl(1 - fl(v - floor(v))). A value on the grid keeps its code; the probability of going
/// up is that of the exact quotient v to within 2^-24. Infinities and NaN pass through.
SAMEBITS_HOST_DEVICE inline float stochastic_position(float r, float u, const AffineGrid& grid) {
  const float quotient = r / grid.scale, below = floorf(quotient);
  const float threshold = 1.0f - (quotient - below);  // NaN for infinities, which do not go up
  return below + (u >= threshold ? 1.0f : 0.0f) + static_cast<float>(grid.zero_point);
}

/// Computes elements [begin, end), each on the grid that the table gives it, with qmin, qmax within [-128,
/// 127]. Element i takes word i of (seed, stream), wherever the tensor is cut and whichever implementation
/// runs. Mask bits and the returned NaN flag as in fake_quantize.h. Does not allocate or throw.
extern const Kernel<bool(const StochasticArgs& args, const GridTable& table, std::int64_t begin,
                         std::int64_t end)>
    quantize_stochastic;

}  // namespace samebits::kernels
