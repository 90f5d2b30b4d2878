// The sizes of a convolution as its kernels on CUDA take them: in 32 bits, with what follows from them.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/common/host_device.h"
#include "kernels/conv/conv2d.h"

namespace samebits::kernels::cuda {

struct ConvSizes {
  std::int32_t in_channels, height, width;
  std::int32_t out_channels, out_height, out_width;
  std::int32_t kernel_height, kernel_width;
  std::int32_t stride_height, stride_width;
  std::int32_t padding_height, padding_width;
  std::int32_t dilation_height, dilation_width;
  std::int32_t groups;

  /// Of a shape that fits.
  static ConvSizes of(const Conv2dShape& s) {
    const auto narrow = [](std::int64_t value) { return static_cast<std::int32_t>(value); };
    return {narrow(s.in_channels),     narrow(s.height),         narrow(s.width),
            narrow(s.out_channels),    narrow(s.out_height()),   narrow(s.out_width()),
            narrow(s.kernel_height),   narrow(s.kernel_width),   narrow(s.stride_height),
            narrow(s.stride_width),    narrow(s.padding_height), narrow(s.padding_width),
            narrow(s.dilation_height), narrow(s.dilation_width), narrow(s.groups)};
  }
  /// Whether every size and every pixel's coordinate is below 2^31.
  static bool fits(const Conv2dShape& s) {
    return std::max({s.in_channels * s.kernel_height * s.kernel_width, s.out_channels,
                     s.height + 2 * s.padding_height + s.stride_height, s.dilation_height, s.dilation_width,
                     s.width + 2 * s.padding_width + s.stride_width, s.height * s.width,
                     s.out_height() * s.out_width()}) <= INT32_MAX;
  }

  SAMEBITS_HOST_DEVICE std::int32_t group_channels() const { return in_channels / groups; }
  SAMEBITS_HOST_DEVICE std::int32_t group_outputs() const { return out_channels / groups; }
  SAMEBITS_HOST_DEVICE std::int32_t taps() const { return kernel_height * kernel_width; }
  SAMEBITS_HOST_DEVICE std::int32_t depth() const { return group_channels() * taps(); }
  SAMEBITS_HOST_DEVICE std::int64_t pixels() const { return std::int64_t{out_height} * out_width; }
  SAMEBITS_HOST_DEVICE std::int64_t in_pixels() const { return std::int64_t{height} * width; }
};

/// A quotient of numbers >= 0 with its remainder; `fits`: both are below 2^32, where it is several times
/// cheaper.
struct Divided {
  std::int64_t quotient, remainder;
};
SAMEBITS_HOST_DEVICE inline Divided divided(std::int64_t n, std::int64_t by, bool fits) {
  const std::int64_t quotient =
      fits ? static_cast<std::uint32_t>(n) / static_cast<std::uint32_t>(by) : n / by;
  return {quotient, n - quotient * by};
}

/// An output pixel of a batch: its image, its place there, and where its window begins, which may lie outside
/// of the image.
struct OutputPixel {
  std::int64_t image, pixel;
  std::int32_t row, column;
};
SAMEBITS_HOST_DEVICE inline OutputPixel output_pixel(const ConvSizes& s, std::int64_t n, bool fits) {
  const Divided image = divided(n, s.pixels(), fits);
  const auto pixel = static_cast<std::int32_t>(image.remainder);
  const std::int32_t row = pixel / s.out_width, column = pixel - row * s.out_width;
  return {image.quotient, image.remainder, row * s.stride_height - s.padding_height,
          column * s.stride_width - s.padding_width};
}
SAMEBITS_HOST_DEVICE inline bool is_inside(const ConvSizes& s, std::int32_t row, std::int32_t column) {
  return static_cast<std::uint32_t>(row) < static_cast<std::uint32_t>(s.height) &&
         static_cast<std::uint32_t>(column) < static_cast<std::uint32_t>(s.width);
}

}  // namespace samebits::kernels::cuda
