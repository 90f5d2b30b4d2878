// Float products of the numerics contract written a second time, without std::fma: the exact value of a fused
// multiply-add is found in double arithmetic, rounded to odd, and rounded once more to float32.
#pragma once

#include <bit>
#include <cmath>
#include <cstdint>
#include <vector>

#include "tests/oracle.h"

namespace samebits::oracle {

/// a * b + c with one rounding. A product of two floats is exact in double; so is the error of a sum of
/// doubles. When there is one, the sum's last bit is made 1: 53 bits rounded to odd round to 24 as the exact
/// value would.
inline float fma(float a, float b, float c) {
  const double product = double{a} * double{b}, sum = product + double{c};
  if (!std::isfinite(sum)) return static_cast<float>(sum);
  const double part = sum - product, error = (product - (sum - part)) + (double{c} - part);
  auto bits = std::bit_cast<std::uint64_t>(sum);
  if (error != 0 && bits % 2 == 0) bits += (error > 0) == (sum > 0) ? 1 : -1;
  return static_cast<float>(std::bit_cast<double>(bits));
}

/// A NaN of the contract's float products has one form.
inline float one_nan(float value) {
  return std::isnan(value) ? std::bit_cast<float>(0x7FC00000u) : value;
}

/// What a chain's sum becomes: `channel_scale` and `bias` have a value a channel, or are empty for none.
inline float float_epilogue(float t, const std::vector<float>& bias, const std::vector<float>& channel_scale,
                            std::int64_t channel) {
  if (!channel_scale.empty()) t = multiply(t, channel_scale[channel]);
  if (!bias.empty()) t = add(t, bias[channel]);
  return one_nan(t);
}

/// y[m][n] of x[m][k] and weight [n][k]. `bias`, `channel_scale`: n values, or empty for none.
inline std::vector<float> float_linear(const std::vector<float>& x, const std::vector<float>& weight,
                                       std::int64_t n, std::int64_t k, const std::vector<float>& bias,
                                       const std::vector<float>& channel_scale = {}) {
  std::vector<float> y;
  const std::int64_t m = k == 0 ? 0 : static_cast<std::int64_t>(x.size()) / k;
  for (std::int64_t row = 0; row < m; ++row) {
    for (std::int64_t column = 0; column < n; ++column) {
      float t = 0;
      for (std::int64_t p = 0; p < k; ++p) t = fma(x[row * k + p], weight[column * k + p], t);
      y.push_back(float_epilogue(t, bias, channel_scale, column));
    }
  }
  return y;
}

/// One output pixel; outside of the image x is 0.
inline float float_conv2d_pixel(const Conv2d& s, const float* image, const float* weight,
                                std::int64_t channel, std::int64_t row, std::int64_t column) {
  float t = 0;
  const std::int64_t in_channels = s.in_channels / s.groups, group = channel / (s.out_channels / s.groups);
  for (std::int64_t c = 0; c < in_channels; ++c)
    for (std::int64_t i = 0; i < s.kernel_height; ++i)
      for (std::int64_t j = 0; j < s.kernel_width; ++j) {
        const std::int64_t y = row * s.stride_height - s.padding_height + i * s.dilation_height;
        const std::int64_t x = column * s.stride_width - s.padding_width + j * s.dilation_width;
        const bool is_inside = y >= 0 && y < s.height && x >= 0 && x < s.width;
        const float value =
            is_inside ? image[((group * in_channels + c) * s.height + y) * s.width + x] : 0.0f;
        t = fma(value, weight[((channel * in_channels + c) * s.kernel_height + i) * s.kernel_width + j], t);
      }
  return t;
}

/// y [images][out_channels][rows][columns].
inline std::vector<float> float_conv2d(const Conv2d& s, const std::vector<float>& x,
                                       const std::vector<float>& weight, const std::vector<float>& bias,
                                       const std::vector<float>& channel_scale = {}) {
  std::vector<float> y;
  const std::int64_t image = s.in_channels * s.height * s.width;
  for (std::int64_t n = 0; n < static_cast<std::int64_t>(x.size()) / image; ++n)
    for (std::int64_t channel = 0; channel < s.out_channels; ++channel)
      for (std::int64_t row = 0; row < s.out_height(); ++row)
        for (std::int64_t column = 0; column < s.out_width(); ++column) {
          const float t = float_conv2d_pixel(s, x.data() + n * image, weight.data(), channel, row, column);
          y.push_back(float_epilogue(t, bias, channel_scale, channel));
        }
  return y;
}

}  // namespace samebits::oracle
