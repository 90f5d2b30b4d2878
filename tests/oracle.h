// The numerics contract written a second time, from docs/numerics.md and with nothing of kernels/: double and
// int64 arithmetic, floor instead of rint, plain index arithmetic. Every float32 rounding of the contract is
// one named call.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <vector>

namespace samebits::oracle {

// One float32 rounding each. 53 bits are enough for the second rounding to be harmless (docs/numerics.md §3).
inline float divide(float a, float b) {
  return static_cast<float>(double{a} / double{b});
}
inline float multiply(float a, float b) {
  return static_cast<float>(double{a} * double{b});
}
inline float add(float a, float b) {
  return static_cast<float>(double{a} + double{b});
}
inline float to_float(std::int64_t v) {
  return static_cast<float>(v);
}

inline double round_half_even(double v) {
  const double below = std::floor(v), rest = v - below;
  if (rest != 0.5) return rest < 0.5 ? below : below + 1;
  return std::fmod(below, 2) == 0 ? below : below + 1;
}

struct Grid {
  float scale = 1.0f;
  int zero_point = 0, qmin = -128, qmax = 127;
};

/// rint(r / scale) + zero_point before clipping; infinities and NaN pass through.
inline double position(float r, const Grid& grid) {
  const float quotient = divide(r, grid.scale);
  if (!std::isfinite(quotient)) return quotient;
  return round_half_even(quotient) + grid.zero_point;
}

/// Whether the clip mask has a 1.
inline bool is_clipped(float r, const Grid& grid) {
  const double p = position(r, grid);
  return std::isnan(p) || p < grid.qmin || p > grid.qmax;
}

inline int code(float r, const Grid& grid) {
  const double p = position(r, grid);
  if (std::isnan(p)) return grid.zero_point;
  if (p < grid.qmin) return grid.qmin;
  if (p > grid.qmax) return grid.qmax;
  return static_cast<int>(p);
}

inline float dequantize(int code, const Grid& grid) {
  return multiply(static_cast<float>(code - grid.zero_point), grid.scale);
}

inline float fake_quantize(float r, const Grid& grid) {
  return dequantize(code(r, grid), grid);
}

/// The grid that covers [min, max], both finite, and 0.
inline Grid grid_of_range(float min, float max, int qmin, int qmax, bool symmetric) {
  const float low = std::fmin(min, 0.0f), high = std::fmax(max, 0.0f);
  Grid grid{1.0f, 0, qmin, qmax};
  if (low == high) {
    if (qmin > 0 || qmax < 0) grid.zero_point = qmin;
    return grid;
  }
  if (symmetric) {
    grid.scale = std::fmax(divide(low, to_float(qmin)), divide(high, to_float(qmax)));
  } else {
    const float half_range = add(multiply(high, 0.5f), -multiply(low, 0.5f));
    grid.scale = divide(half_range, multiply(to_float(qmax - qmin), 0.5f));
  }
  grid.scale = std::fmax(grid.scale, std::numeric_limits<float>::min());
  if (!symmetric) {
    const double zero = qmin - round_half_even(divide(low, grid.scale));
    grid.zero_point = static_cast<int>(std::fmin(std::fmax(zero, qmin), qmax));
  }
  return grid;
}

/// Codes [n][k]; scale and zero_point hold 1 value, n, or [n][ceil(k / group_size)]. No zero points:
/// symmetric.
struct Weights {
  std::int64_t n, k;
  std::int64_t group_size = 0;  // 0: no groups
  std::vector<std::int8_t> codes;
  std::vector<float> scale;
  std::vector<std::int32_t> zero_point;

  std::int64_t groups() const { return group_size == 0 ? 1 : (k + group_size - 1) / group_size; }
  std::int64_t index(std::int64_t row, std::int64_t column) const {
    if (scale.size() == 1) return 0;
    return row * groups() + (group_size == 0 ? 0 : column / group_size);
  }
  /// The code minus its zero point.
  std::int64_t centered(std::int64_t row, std::int64_t column) const {
    const std::int64_t zero = zero_point.empty() ? 0 : zero_point[index(row, column)];
    return codes[row * k + column] - zero;
  }
};

/// A scale with the factor of its channel (docs/numerics.md §13). `channel_scale`: a value a channel, or
/// empty.
inline float with_factor(float scale, const std::vector<float>& channel_scale, std::int64_t channel) {
  return channel_scale.empty() ? scale : multiply(scale, channel_scale[channel]);
}

/// accumulator -> y without groups.
inline float scale_and_bias(std::int64_t accumulator, float scale, const float* bias) {
  const float product = multiply(to_float(accumulator), scale);
  return bias == nullptr ? product : add(product, *bias);
}

/// y[m][n] of x_codes[m][k]. `bias`, `channel_scale`: n values, or empty for none.
inline std::vector<float> linear(const std::vector<std::int8_t>& x_codes, std::int64_t m, const Grid& x_grid,
                                 const Weights& weights, const std::vector<float>& bias,
                                 const std::vector<float>& channel_scale = {}) {
  std::vector<float> y(m * weights.n);
  const std::int64_t length = weights.group_size == 0 ? weights.k : weights.group_size;
  for (std::int64_t row = 0; row < m; ++row) {
    for (std::int64_t c = 0; c < weights.n; ++c) {
      const float* channel_bias = bias.empty() ? nullptr : &bias[c];
      float total = 0.0f;
      for (std::int64_t first = 0; first < weights.k; first += length) {
        std::int64_t accumulator = 0;
        for (std::int64_t i = first; i < first + length && i < weights.k; ++i)
          accumulator += (x_codes[row * weights.k + i] - x_grid.zero_point) * weights.centered(c, i);
        const float weight_scale = weights.scale[weights.index(c, first)];
        if (weights.group_size == 0)
          total = scale_and_bias(
              accumulator, with_factor(multiply(x_grid.scale, weight_scale), channel_scale, c), channel_bias);
        else
          total = add(total, multiply(to_float(accumulator), with_factor(weight_scale, channel_scale, c)));
      }
      if (weights.group_size != 0) {
        total = multiply(total, x_grid.scale);
        if (channel_bias != nullptr) total = add(total, *channel_bias);
      }
      y[row * weights.n + c] = total;
    }
  }
  return y;
}

/// A product of codes a[m][k] and b[n][k] with what follows it: gemm_int8.h. `correction` and `scale` hold a
/// value a channel, by groups first; `bias` too, or is empty.
struct Gemm {
  std::int64_t m, n, k;
  std::int64_t group_size = 0;  // 0: no groups
  bool channels_are_rows = false, relu = false;
  std::vector<std::int8_t> a, b;
  std::vector<std::int32_t> correction;
  std::vector<float> scale, bias;
  float x_scale = 1.0f;

  std::int64_t sum(std::int64_t row, std::int64_t column, std::int64_t first, std::int64_t last) const {
    std::int64_t total = 0;
    for (std::int64_t i = first; i < last && i < k; ++i)
      total += std::int64_t{a[row * k + i]} * b[column * k + i];
    return total;
  }
  /// Before the relu.
  float value(std::int64_t row, std::int64_t column) const {
    const std::int64_t c = channels_are_rows ? row : column;
    float y = group_size == 0 ? multiply(to_float(sum(row, column, 0, k) - correction[c]), scale[c]) : 0.0f;
    for (std::int64_t first = 0, i = c; group_size != 0 && first < k; first += group_size, i += n)
      y = add(y, multiply(to_float(sum(row, column, first, first + group_size) - correction[i]), scale[i]));
    if (group_size != 0) y = multiply(y, x_scale);
    return bias.empty() ? y : add(y, bias[c]);
  }
  float after_relu(float y) const { return relu && y < 0 ? 0.0f : y; }
};

/// fl(a * b + c), one rounding: the exact sum rounded to odd in double, whose 53 bits make the second
/// rounding harmless.
inline float fused(float a, float b, float c) {
  const double product = double{a} * double{b};  // exact
  double sum = product + double{c};
  const double added = sum - product, error = (product - (sum - added)) + (double{c} - added);
  if (!std::isfinite(sum) || error == 0) return static_cast<float>(sum);
  const bool is_even = std::fmod(std::scalbn(sum, 52 - std::ilogb(sum)), 2) == 0;
  const double infinity = std::numeric_limits<double>::infinity();
  if (is_even) sum = std::nextafter(sum, error > 0 ? infinity : -infinity);
  return static_cast<float>(sum);
}

/// y[m][n] of floats x[m][k] (docs/numerics.md §11). `bias`: n values, or empty for none.
inline std::vector<float> weight_only(const std::vector<float>& x, std::int64_t m, const Weights& weights,
                                      const std::vector<float>& bias) {
  std::vector<float> y;
  const std::int64_t length = weights.group_size == 0 ? weights.k : weights.group_size;
  for (std::int64_t row = 0; row < m; ++row) {
    for (std::int64_t c = 0; c < weights.n; ++c) {
      float total = 0.0f;
      for (std::int64_t first = 0; first < weights.k; first += length) {
        float part[4] = {0, 0, 0, 0};
        for (std::int64_t i = first; i < first + length && i < weights.k; ++i) {
          float& sum = part[(i - first) % 4];
          sum = fused(x[row * weights.k + i], to_float(weights.centered(c, i)), sum);
        }
        const float sum = add(add(part[0], part[1]), add(part[2], part[3]));
        total = fused(sum, weights.scale[weights.index(c, first)], total);
      }
      y.push_back(bias.empty() ? total : add(total, bias[c]));
    }
  }
  return y;
}

struct Conv2d {
  std::int64_t in_channels, height, width;
  std::int64_t out_channels, kernel_height, kernel_width;
  std::int64_t stride_height = 1, stride_width = 1;
  std::int64_t padding_height = 0, padding_width = 0;
  std::int64_t dilation_height = 1, dilation_width = 1;
  std::int64_t groups = 1;

  /// How often the kernel fits, counted.
  static std::int64_t outputs(std::int64_t size, std::int64_t kernel, std::int64_t stride,
                              std::int64_t padding, std::int64_t dilation) {
    std::int64_t count = 0;
    for (std::int64_t first = -padding; first + dilation * (kernel - 1) < size + padding; first += stride)
      ++count;
    return count;
  }
  std::int64_t out_height() const {
    return outputs(height, kernel_height, stride_height, padding_height, dilation_height);
  }
  std::int64_t out_width() const {
    return outputs(width, kernel_width, stride_width, padding_width, dilation_width);
  }
};

/// The sum of one output pixel. Outside the image x is the real 0, so that its centered code is 0.
inline std::int64_t conv2d_accumulator(const Conv2d& shape, const std::int8_t* image, int x_zero_point,
                                       const Weights& weights, std::int64_t channel, std::int64_t row,
                                       std::int64_t column) {
  const std::int64_t in_channels = shape.in_channels / shape.groups;
  const std::int64_t first_in = channel / (shape.out_channels / shape.groups) * in_channels;
  std::int64_t accumulator = 0, tap = 0;
  for (std::int64_t c = first_in; c < first_in + in_channels; ++c) {
    for (std::int64_t kernel_row = 0; kernel_row < shape.kernel_height; ++kernel_row) {
      for (std::int64_t kernel_column = 0; kernel_column < shape.kernel_width; ++kernel_column, ++tap) {
        const std::int64_t i =
            row * shape.stride_height - shape.padding_height + kernel_row * shape.dilation_height;
        const std::int64_t j =
            column * shape.stride_width - shape.padding_width + kernel_column * shape.dilation_width;
        if (i < 0 || i >= shape.height || j < 0 || j >= shape.width) continue;
        accumulator +=
            (image[(c * shape.height + i) * shape.width + j] - x_zero_point) * weights.centered(channel, tap);
      }
    }
  }
  return accumulator;
}

/// y[image][out_channel][row][column] of x_codes[image][in_channel][row][column]. `weights`: n =
/// out_channels, k = in_channels / groups * kernel size, no groups along k.
inline std::vector<float> conv2d(const std::vector<std::int8_t>& x_codes, std::int64_t images,
                                 const Conv2d& shape, const Grid& x_grid, const Weights& weights,
                                 const std::vector<float>& bias,
                                 const std::vector<float>& channel_scale = {}) {
  std::vector<float> y;
  for (std::int64_t image = 0; image < images; ++image) {
    const std::int8_t* x = x_codes.data() + image * shape.in_channels * shape.height * shape.width;
    for (std::int64_t channel = 0; channel < shape.out_channels; ++channel) {
      for (std::int64_t row = 0; row < shape.out_height(); ++row) {
        for (std::int64_t column = 0; column < shape.out_width(); ++column) {
          const std::int64_t accumulator =
              conv2d_accumulator(shape, x, x_grid.zero_point, weights, channel, row, column);
          const float scale = multiply(x_grid.scale, weights.scale[weights.index(channel, 0)]);
          y.push_back(scale_and_bias(accumulator, with_factor(scale, channel_scale, channel),
                                     bias.empty() ? nullptr : &bias[channel]));
        }
      }
    }
  }
  return y;
}

/// What a batch norm with running statistics is behind a layer (docs/numerics.md §13): y = t * scale + bias
/// of the product t without its own bias.
struct FoldedBatchNorm {
  float scale, bias;
};
inline FoldedBatchNorm fold_batch_norm(float layer_bias, float gamma, float beta, float mean, float variance,
                                       float eps) {
  // Double roots and quotients of floats round to those of float32: 53 >= 2 * 24 + 2 bits.
  const auto deviation = static_cast<float>(std::sqrt(double{add(variance, eps)}));
  const float scale = divide(gamma, deviation);
  return {scale, add(multiply(add(layer_bias, -mean), scale), beta)};
}

// Backward in bfloat16.

/// The nearest number with 8 significant bits, ties to even; exponents as float32 has them. NaN stays NaN.
inline float to_bf16(float r) {
  if (!std::isfinite(r) || r == 0) return r;
  int exponent;
  std::frexp(r, &exponent);  // |r| in [2^(exponent - 1), 2^exponent)
  const double step = std::ldexp(1.0, exponent - 8 < -133 ? -133 : exponent - 8);
  const double rounded = std::copysign(round_half_even(std::fabs(double{r}) / step) * step, r);
  return std::fabs(rounded) >= 0x1p128 ? std::copysign(std::numeric_limits<float>::infinity(), r)
                                       : static_cast<float>(rounded);
}

inline std::uint16_t bf16_bits(float r) {
  const float rounded = to_bf16(r);
  std::uint32_t bits;
  std::memcpy(&bits, &rounded, sizeof bits);
  return static_cast<std::uint16_t>((bits >> 16) | (std::isnan(r) ? 0x40u : 0u));
}

/// Reals [rows][depth] as a packed a: tiles of 16 rows x 32 depths, all sizes padded to multiples of 32.
inline std::vector<std::uint16_t> pack_bf16_a(const std::vector<float>& reals, std::int64_t rows,
                                              std::int64_t depth) {
  const std::int64_t padded_rows = (rows + 31) / 32 * 32, padded_depth = (depth + 31) / 32 * 32;
  std::vector<std::uint16_t> packed;
  for (std::int64_t tile_row = 0; tile_row < padded_rows; tile_row += 16)
    for (std::int64_t tile_depth = 0; tile_depth < padded_depth; tile_depth += 32)
      for (std::int64_t row = tile_row; row < tile_row + 16; ++row)
        for (std::int64_t d = tile_depth; d < tile_depth + 32; ++d)
          packed.push_back(row < rows && d < depth ? bf16_bits(reals[row * depth + d]) : 0);
  return packed;
}

/// Reals [depth][columns] as a packed b: blocks of 16 columns, in each the pairs of depths one after the
/// other.
inline std::vector<std::uint16_t> pack_bf16_b(const std::vector<float>& reals, std::int64_t depth,
                                              std::int64_t columns) {
  const std::int64_t padded_columns = (columns + 31) / 32 * 32, padded_depth = (depth + 31) / 32 * 32;
  std::vector<std::uint16_t> packed;
  for (std::int64_t block = 0; block < padded_columns; block += 16)
    for (std::int64_t pair = 0; pair < padded_depth; pair += 2)
      for (std::int64_t column = block; column < block + 16; ++column)
        for (std::int64_t d = pair; d < pair + 2; ++d)
          packed.push_back(d < depth && column < columns ? bf16_bits(reals[d * columns + column]) : 0);
  return packed;
}

/// Column sums of blocks of 64 rows: each from 0 on, rows ascending.
inline std::vector<float> block_sums(const std::vector<float>& g, std::int64_t m, std::int64_t n) {
  std::vector<float> sums;
  for (std::int64_t first = 0; first < m; first += 64)
    for (std::int64_t column = 0; column < n; ++column) {
      float sum = 0.0f;
      for (std::int64_t row = first; row < first + 64 && row < m; ++row) sum = add(sum, g[row * n + column]);
      sums.push_back(sum);
    }
  return sums;
}

// 16-bit floats.

/// A binary format of 16 bits: a sign, then these.
struct Format16 {
  int exponent_bits, fraction_bits;
  int bias() const { return (1 << (exponent_bits - 1)) - 1; }
  int infinity() const { return ((1 << exponent_bits) - 1) << fraction_bits; }
};
inline constexpr Format16 kBfloat16{8, 7}, kFloat16{5, 10};

inline double decode(std::uint16_t bits, const Format16& format) {
  const double sign = bits >> 15 != 0 ? -1.0 : 1.0;
  const int magnitude = bits & 0x7FFF, exponent = magnitude >> format.fraction_bits;
  const int fraction = magnitude & ((1 << format.fraction_bits) - 1);
  if (magnitude > format.infinity()) return std::numeric_limits<double>::quiet_NaN();
  if (magnitude == format.infinity()) return sign * std::numeric_limits<double>::infinity();
  if (exponent == 0) return sign * std::ldexp(fraction, 1 - format.bias() - format.fraction_bits);
  return sign *
         std::ldexp(fraction + (1 << format.fraction_bits), exponent - format.bias() - format.fraction_bits);
}

/// The nearest value, ties to even. `v` is no NaN.
inline std::uint16_t encode(double v, const Format16& format) {
  const int sign = std::signbit(v) ? 0x8000 : 0;
  const double magnitude = std::fabs(v);
  if (magnitude == 0) return static_cast<std::uint16_t>(sign);
  if (std::isinf(magnitude)) return static_cast<std::uint16_t>(sign | format.infinity());
  const int smallest_exponent = 1 - format.bias();
  const int exponent = std::max(std::ilogb(magnitude), smallest_exponent);
  const double units = round_half_even(std::ldexp(magnitude, format.fraction_bits - exponent));
  // Units carry into the exponent by themselves: 2^fraction_bits of them are one binade.
  const double bits = std::ldexp(exponent - smallest_exponent, format.fraction_bits) + units;
  return static_cast<std::uint16_t>(sign | static_cast<int>(std::min<double>(bits, format.infinity())));
}

// Stochastic rounding.

/// The word of one element: Philox4x32-10 as its paper writes it, in 64-bit integers.
inline std::uint32_t philox_word(std::uint64_t seed, std::uint64_t stream, std::uint64_t element) {
  const std::uint64_t low = 0xFFFFFFFF, block = element / 4;
  std::vector<std::uint64_t> state = {block & low, block >> 32, stream & low, stream >> 32};
  for (std::uint64_t round = 0; round < 10; ++round) {
    const std::uint64_t key0 = ((seed & low) + round * 0x9E3779B9) & low;
    const std::uint64_t key1 = ((seed >> 32) + round * 0xBB67AE85) & low;
    const std::uint64_t a = state[0] * 0xD2511F53, b = state[2] * 0xCD9E8D57;
    state = {(b >> 32) ^ state[1] ^ key0, b & low, (a >> 32) ^ state[3] ^ key1, a & low};
  }
  return static_cast<std::uint32_t>(state[element % 4]);
}

/// Before clipping; infinities and NaN pass through.
inline double stochastic_position(float r, std::uint32_t word, const Grid& grid) {
  const float quotient = divide(r, grid.scale);
  if (!std::isfinite(quotient)) return quotient;
  const double below = std::floor(double{quotient}), u = std::ldexp(word >> 8, -24);
  const float fraction = add(quotient, static_cast<float>(-below));
  return below + (u >= double{add(1.0f, -fraction)} ? 1 : 0) + grid.zero_point;
}

}  // namespace samebits::oracle
