// Grids and inputs that make a quantizer show its rounding, and what the oracle says of them. Shared by the
// tests of affine, fake_quantize, quantize and dequantize.
#pragma once

#include <cmath>
#include <limits>
#include <vector>

#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {

struct GridCase {
  const char* why;
  AffineGrid grid;
};

/// Grids that differ in what they make hard.
inline const GridCase kGrids[] = {
    {"unit scale: ties are exact", {.scale = 1.0f}},
    {"odd zero point: moves the parity of ties", {.scale = 1.0f, .zero_point = 1}},
    {"zero point at qmin", {.scale = 0.5f, .zero_point = -128}},
    {"zero point at qmax", {.scale = 0x1p-7f, .zero_point = 127}},
    {"0.1 has no exact reciprocal", {.scale = 0.1f}},
    {"one third, affine", {.scale = 1.0f / 3.0f, .zero_point = -17}},
    {"the largest significand", {.scale = 0x1.fffffep-3f, .zero_point = 5}},
    {"the smallest significand above a power of two", {.scale = 0x1.000002p-3f}},
    {"the smallest scale", {.scale = 0x1p-126f}},
    {"a scale whose reciprocal is denormal", {.scale = 0x1.8p126f / 128.0f, .zero_point = 3}},
    {"the smallest scale whose quotients may be corrected", {.scale = 0x1p-101f, .zero_point = 2}},
    {"the largest one whose quotients must be divided", {.scale = 0x1.fffffep-102f, .zero_point = 2}},
    {"the largest scale whose quotients may be corrected",
     {.scale = 0x1p126f, .zero_point = 0, .qmin = -1, .qmax = 0}},
    {"a scale whose reciprocal is denormal, and whose range is not infinite",
     {.scale = 0x1.000002p126f, .zero_point = 0, .qmin = -1, .qmax = 0}},
    {"narrow weights", {.scale = 0.02f, .zero_point = 0, .qmin = -127, .qmax = 127}},
    {"int4 weights", {.scale = 0.3f, .zero_point = 0, .qmin = -8, .qmax = 7}},
    {"int4 with a zero point", {.scale = 0.07f, .zero_point = -3, .qmin = -8, .qmax = 7}},
    {"two bits", {.scale = 0.7f, .zero_point = 0, .qmin = -2, .qmax = 1}},
    {"codes without a sign: a quantizer that is a ReLU",
     {.scale = 0.05f, .zero_point = 0, .qmin = 0, .qmax = 15}},
};

inline constexpr float kInfinity = std::numeric_limits<float>::infinity();
inline constexpr float kLargest = std::numeric_limits<float>::max();

/// Quiet and signalling NaNs of both signs, with payloads.
inline std::vector<float> nans() {
  std::vector<float> values;
  for (const std::uint32_t pattern :
       {0x7FC00000u, 0xFFC00000u, 0x7F800001u, 0xFF800001u, 0x7FFFFFFFu, 0xFFBFFFFFu})
    values.push_back(std::bit_cast<float>(pattern));
  return values;
}

/// Zeros, denormals, the ends of the normal range, infinities and NaNs.
inline std::vector<float> special_values() {
  std::vector<float> values = nans();
  for (const float v : {0.0f, 0x1p-149f, 0x1.8p-148f, 0x0.fffffep-126f, 0x1p-126f, 0x1.000002p-126f,
                        0x1p-125f, 1.0f, 0x1p127f, kLargest, kInfinity}) {
    values.push_back(v);
    values.push_back(-v);
  }
  return values;
}

/// `value` and the `reach` floats on either side.
inline void push_neighbours(float value, int reach, std::vector<float>& values) {
  values.push_back(value);
  float below = value, above = value;
  for (int i = 0; i < reach; ++i) {
    values.push_back(below = std::nextafter(below, -kInfinity));
    values.push_back(above = std::nextafter(above, kInfinity));
  }
}

/// Every boundary between two codes, from three below the range to three above it, and its neighbours. On a
/// power of two these are exact ties; elsewhere the tie lies between two of the neighbours.
inline std::vector<float> ties(const AffineGrid& grid) {
  std::vector<float> values;
  for (int code = grid.qmin - 3; code <= grid.qmax + 3; ++code)
    push_neighbours(static_cast<float>((code + 0.5 - grid.zero_point) * double{grid.scale}), 2, values);
  return values;
}

/// The reals at both ends of the range and at the last value that still rounds into it, with their
/// neighbours.
inline std::vector<float> range_edges(const AffineGrid& grid) {
  std::vector<float> values;
  for (const double code :
       {grid.qmin - 1.0, grid.qmin - 0.5, grid.qmin + 0.0, grid.qmax + 0.0, grid.qmax + 0.5, grid.qmax + 1.0})
    push_neighbours(static_cast<float>((code - grid.zero_point) * double{grid.scale}), 40, values);
  return values;
}

/// Values whose quotients are around 2^22 to 2^25, where a float stops having halves and then units.
inline std::vector<float> large_quotients(const AffineGrid& grid) {
  std::vector<float> values;
  for (const double power : {0x1p22, 0x1p23, 0x1p24, 0x1p25}) {
    const double largest = std::min(power * grid.scale, double{kLargest});
    push_neighbours(static_cast<float>(largest), 20, values);
    push_neighbours(static_cast<float>(-largest), 20, values);
  }
  return values;
}

/// All of the above.
inline std::vector<float> hard_values(const AffineGrid& grid) {
  std::vector<float> values = special_values();
  for (const auto& more : {ties(grid), range_edges(grid), large_quotients(grid)})
    values.insert(values.end(), more.begin(), more.end());
  return values;
}

/// One pattern of every 256 of all floats, `count` of them from number `first` on; the low byte changes
/// along.
inline std::vector<float> sampled_patterns(std::uint32_t first, std::uint32_t count) {
  std::vector<float> values(count);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t high = first + i;
    values[i] = std::bit_cast<float>(high << 8 | (high * 2654435761u >> 24));
  }
  return values;
}

/// What the oracle says of x, element i on grid `grid_of(i)`.
struct Expected {
  std::vector<float> y;
  std::vector<std::int8_t> codes;
  std::vector<std::uint8_t> clip_mask;
  bool saw_nan = false;
};
template <class GridOf>
Expected expect_by(const std::vector<float>& x, GridOf grid_of) {
  Expected expected{.y = std::vector<float>(x.size()),
                    .codes = std::vector<std::int8_t>(x.size()),
                    .clip_mask = std::vector<std::uint8_t>((x.size() + 7) / 8)};
  for (std::size_t i = 0; i < x.size(); ++i) {
    const oracle::Grid grid = to_oracle(grid_of(static_cast<std::int64_t>(i)));
    const int code = oracle::code(x[i], grid);
    expected.y[i] = oracle::dequantize(code, grid);
    expected.codes[i] = static_cast<std::int8_t>(code);
    if (oracle::is_clipped(x[i], grid)) expected.clip_mask[i / 8] |= static_cast<std::uint8_t>(1u << i % 8);
    expected.saw_nan |= std::isnan(x[i]);
  }
  return expected;
}
inline Expected expect_on(const std::vector<float>& x, const AffineGrid& grid) {
  return expect_by(x, [&](std::int64_t) { return grid; });
}

/// The usual grids of a width: two's complement, narrow, and affine with zero points at both ends and inside.
inline std::vector<AffineGrid> grids_of_width(int width) {
  const int qmax = (1 << (width - 1)) - 1, qmin = -qmax - 1;
  std::vector<AffineGrid> grids;
  for (const float scale : {0.1f, 1.0f, 0x1.234568p-5f}) {
    grids.push_back({scale, 0, qmin, qmax});
    grids.push_back({scale, 0, -qmax, qmax});
    for (const int zero_point : {qmin, qmin + 1, qmax}) grids.push_back({scale, zero_point, qmin, qmax});
  }
  return grids;
}

}  // namespace samebits::kernels
