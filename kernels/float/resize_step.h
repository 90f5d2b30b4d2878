// How far an input axis goes on for each element of an output axis: LibTorch's rule
// (aten/src/ATen/native/UpSample.h), in float32.
#pragma once

#include <cstdint>
#include <optional>

namespace samebits::kernels {

/// `scale` is out / in as a caller gave it, where one did.
inline float resize_step(std::int64_t in, std::int64_t out, bool align_corners, std::optional<double> scale) {
  if (align_corners) return out > 1 ? static_cast<float>(in - 1) / static_cast<float>(out - 1) : 0.0f;
  if (scale.has_value() && *scale > 0) return static_cast<float>(1.0 / *scale);
  return static_cast<float>(in) / static_cast<float>(out);
}

}  // namespace samebits::kernels
