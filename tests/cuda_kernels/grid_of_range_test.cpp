// kernels/observe/cuda/grid_of_range.cu on the emulator: the grids of the oracle and of the CPU for many
// ranges.
#include "kernels/observe/cuda/grid_of_range.cu"

#include "tests/cuda_kernels/device_cases.h"
#include "tests/kernels/affine_cases.h"

namespace samebits::kernels::cuda {
namespace {

struct Made {
  std::vector<float> scale;
  std::vector<std::int32_t> zero_point;
  int saw_infinity;
};

Made launched(const std::vector<float>& low, const std::vector<float>& high, int qmin, int qmax,
              bool symmetric) {
  const auto count = std::ssize(low);
  DeviceArray<float> min("min", low), max("max", high);
  auto scale = DeviceArray<float>::uninitialised("scale", count);
  auto zero_point = DeviceArray<std::int32_t>::uninitialised("zero_point", count);
  DeviceArray<int> saw_infinity("saw_infinity", {0});
  EXPECT_EQ(launch_grids_of_ranges({min.data(), max.data(), count, qmin, qmax, symmetric, scale.data(),
                                    zero_point.data(), saw_infinity.data()},
                                   kStream),
            nullptr);
  return {scale.values(), zero_point.values(), saw_infinity.values()[0]};
}

TEST(CudaGridOfRange, MakesTheOraclesAndTheCpusGridsOfRandomRanges) {
  Random random(1);
  for (const bool symmetric : {false, true}) {
    for (const int qmax : {7, 127}) {
      for (const std::int64_t count : {1, 255, 256, 257, 700}) {
        std::vector<float> low, high;
        for (std::int64_t i = 0; i < count; ++i) {
          const std::vector<float> ends =
              random_floats(random, 2, std::ldexp(1.0f, static_cast<int>(i % 200) - 140));
          low.push_back(i % 9 == 0 ? 0.0f : std::min(ends[0], ends[1]));
          high.push_back(i % 9 == 0 ? 0.0f : std::max(ends[0], ends[1]));
        }
        const Made made = launched(low, high, -qmax - 1, qmax, symmetric);
        for (std::int64_t i = 0; i < count; ++i) {
          const oracle::Grid expected = oracle::grid_of_range(low[i], high[i], -qmax - 1, qmax, symmetric);
          const AffineGrid cpu = kernels::grid_of_range(low[i], high[i], -qmax - 1, qmax, symmetric);
          ASSERT_EQ(bits(made.scale[i]), bits(expected.scale)) << i;
          ASSERT_EQ(made.zero_point[i], expected.zero_point) << i;
          ASSERT_EQ(bits(cpu.scale), bits(expected.scale)) << i;
        }
        EXPECT_EQ(made.saw_infinity, 0);
      }
    }
  }
}

TEST(CudaGridOfRange, MakesNoGridOfARangeThatIsNotFiniteAndSaysSo) {
  const float nan = nans().front();
  for (const auto& [min, max] :
       {std::pair{-kInfinity, 1.0f}, std::pair{-1.0f, kInfinity}, std::pair{kInfinity, -kInfinity},
        std::pair{nan, 1.0f}, std::pair{0.0f, nan}}) {
    const Made made = launched({-1.0f, min}, {1.0f, max}, -8, 7, false);
    EXPECT_EQ(made.saw_infinity, 1);
    EXPECT_TRUE(std::isnan(made.scale[1]));
    EXPECT_EQ(made.zero_point[1], -8);
    EXPECT_EQ(bits(made.scale[0]), bits(kernels::grid_of_range(-1.0f, 1.0f, -8, 7, false).scale));
  }
}

TEST(CudaGridOfRange, LaunchesNothingForNothingAndReturnsTheTextOfARefusedLaunch) {
  EXPECT_EQ(launch_grids_of_ranges({.count = 0}, kStream), nullptr);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_grids_of_ranges({.count = 1}, kStream), kRefused);
}

}  // namespace
}  // namespace samebits::kernels::cuda
