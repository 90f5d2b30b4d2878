// What the tests of the CUDA kernels share: element counts, placements, and the stream that launchers get.
#pragma once

#include <gmock/gmock.h>

#include <cmath>
#include <limits>

#include "kernels/common/grid_table.h"
#include "tests/cuda_emulator/seeds.h"
#include "tests/kernels/stored.h"

namespace samebits::kernels::cuda {

using cuda_emulator::DeviceArray;
using cuda_emulator::emulate;
using cuda_emulator::for_each_seed;

/// Element counts around a quad, a mask byte, a warp's quads and a block's quads.
inline constexpr std::int64_t kDeviceCounts[] = {1,   2,   3,    4,    5,    7,    8,   9,   15,
                                                 16,  17,  31,   33,   63,   127,  128, 129, 255,
                                                 256, 257, 1000, 1023, 1024, 1025, 2051};

/// Elements between an array and an aligned address, for input and output: 0 is what at::empty gives, others
/// are views.
struct Offsets {
  std::size_t x, y;
};
inline constexpr Offsets kOffsets[] = {{0, 0}, {1, 0}, {0, 1}, {2, 3}, {4, 8}, {7, 7}};

/// Any pointer will do: the emulator has no streams.
inline CUstream_st* const kStream = nullptr;

constexpr char kRefused[] = "invalid configuration argument";

/// The 16-bit types, each with its elements as bits: rounded by the oracle, and read back by it.
inline constexpr FloatType k16BitTypes[] = {FloatType::kBfloat16, FloatType::kFloat16};
inline std::vector<std::uint16_t> stored_bits(const std::vector<float>& values, FloatType type) {
  const Bytes bytes = encoded(values, type);
  std::vector<std::uint16_t> elements(values.size());
  std::memcpy(elements.data(), bytes.data(), bytes.size());
  return elements;
}
inline std::vector<float> reals_of(const std::vector<std::uint16_t>& elements, FloatType type) {
  Bytes bytes(2 * elements.size());
  std::memcpy(bytes.data(), elements.data(), bytes.size());
  return decoded(bytes, type);
}

template <class T>
std::string first_difference(DeviceArray<T>& got, const std::vector<T>& expected) {
  return kernels::first_difference(got.values(), expected);
}

/// The same of results whose NaNs have no payload of the contract's: a card makes others than a processor.
inline std::string first_difference_but_nans(DeviceArray<float>& got, const std::vector<float>& expected) {
  const auto with_one_nan = [](std::vector<float> values) {
    for (float& value : values)
      if (std::isnan(value)) value = std::numeric_limits<float>::quiet_NaN();
    return values;
  };
  return kernels::first_difference(with_one_nan(got.values()), with_one_nan(expected));
}

/// The device's copy of a table of grids.
struct DeviceTable {
  DeviceArray<float> scale;
  DeviceArray<std::int32_t> zero_point;
  GridTable table;

  DeviceTable(const GridTable& shape, const std::vector<float>& scales,
              const std::vector<std::int32_t>& zero_points)
      : scale("scale", scales), zero_point("zero_point", zero_points), table(shape) {
    table.scale = scale.data();
    table.zero_point = zero_point.data();
  }
  /// One grid for n elements.
  DeviceTable(const AffineGrid& grid, std::int64_t n)
      : DeviceTable({nullptr, nullptr, grid.qmin, grid.qmax, n, n, 1}, {grid.scale}, {grid.zero_point}) {}
};

}  // namespace samebits::kernels::cuda
