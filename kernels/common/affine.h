// The one place where a real number becomes a code and a code becomes a real number. Kernels, on host
// and device, call these functions and never write the formula again. Derivation: docs/numerics.md §2.
// Relies on round-to-nearest mode and on a build without contraction (-ffp-contract=off, --fmad=false).
#pragma once

#include <math.h>

#include <cstdint>

#include "kernels/common/host_device.h"

namespace samebits::kernels {

/// The smallest scale of the contract: below it r / scale could need a denormal divisor.
constexpr float kMinScale = 0x1p-126f;

/// The reals (code - zero_point) * scale for qmin <= code <= qmax. scale is finite and >= 2^-126;
/// qmin <= zero_point <= qmax, all within ±2^22: every sum below is exact, or far outside the range.
struct AffineGrid {
  float scale = 1.0f;
  std::int32_t zero_point = 0, qmin = -128, qmax = 127;
  friend bool operator==(const AffineGrid&, const AffineGrid&) = default;
};

/// Where `r` falls before clipping. Infinities and NaN pass through.
/// A true division: r * (1 / scale) would give another code next to ties (docs/numerics.md §3).
SAMEBITS_HOST_DEVICE inline float grid_position(float r, const AffineGrid& grid) {
  return rintf(r / grid.scale) + static_cast<float>(grid.zero_point);
}

/// Whether the gradient stops here. True for NaN.
SAMEBITS_HOST_DEVICE inline bool is_clipped(float position, const AffineGrid& grid) {
  return !(position >= static_cast<float>(grid.qmin) && position <= static_cast<float>(grid.qmax));
}

/// The nearest code of the range. NaN gives zero_point, the code of the real 0.
SAMEBITS_HOST_DEVICE inline std::int32_t code_at(float position, const AffineGrid& grid) {
  if (isnan(position)) return grid.zero_point;
  if (position < static_cast<float>(grid.qmin)) return grid.qmin;
  if (position > static_cast<float>(grid.qmax)) return grid.qmax;
  return static_cast<std::int32_t>(position);
}

SAMEBITS_HOST_DEVICE inline float dequantize(std::int32_t code, const AffineGrid& grid) {
  return static_cast<float>(code - grid.zero_point) * grid.scale;
}

/// The grid that covers the reals from `min` to `max` with the codes qmin..qmax. Both must be finite;
/// 0 is always on the grid. Symmetric: zero_point 0, which must lie inside (qmin, qmax). A constant-zero
/// tensor gets scale 1. Affine: zero_point is the code nearest to qmin - min / scale.
SAMEBITS_HOST_DEVICE inline AffineGrid grid_of_range(float min, float max, std::int32_t qmin,
                                                     std::int32_t qmax, bool symmetric) {
  AffineGrid grid{1.0f, 0, qmin, qmax};
  const float low = min < 0.0f ? min : 0.0f;
  const float high = max > 0.0f ? max : 0.0f;
  if (low == 0.0f && high == 0.0f) {
    if (qmin > 0 || qmax < 0) grid.zero_point = qmin;
    return grid;
  }
  if (symmetric) {
    const float below = low / static_cast<float>(qmin), above = high / static_cast<float>(qmax);
    grid.scale = below > above ? below : above;
  } else {
    // Halves first: high - low may overflow where the scale itself does not.
    const float half_steps = static_cast<float>(qmax - qmin) * 0.5f;
    grid.scale = (high * 0.5f - low * 0.5f) / half_steps;
  }
  if (!(grid.scale >= kMinScale)) grid.scale = kMinScale;
  if (!symmetric) {
    const float zero = static_cast<float>(qmin) - rintf(low / grid.scale);
    const float low_code = static_cast<float>(qmin), high_code = static_cast<float>(qmax);
    grid.zero_point = static_cast<std::int32_t>(zero < low_code    ? low_code
                                                : zero > high_code ? high_code
                                                                   : zero);
  }
  return grid;
}

}  // namespace samebits::kernels
