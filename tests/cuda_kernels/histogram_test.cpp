// kernels/observe/cuda/histogram.cu on the emulator: exact counts, as the header's formula and the CPU have
// them.
#include "kernels/observe/cuda/histogram.cu"

#include "tests/cuda_kernels/device_cases.h"
#include "tests/kernels/affine_cases.h"

namespace samebits::kernels::cuda {
namespace {

using Counts = std::vector<unsigned long long>;

/// 2048 counts and, behind them, that of the NaNs. Each float32 rounding is one call of the oracle.
Counts expected_counts(const std::vector<float>& x, HistogramRange range) {
  Counts counts(2049);
  const float half_low = oracle::multiply(range.low, 0.5f), half_high = oracle::multiply(range.high, 0.5f);
  const float bins_per_half = oracle::divide(2048.0f, oracle::add(half_high, -half_low));
  for (const float value : x) {
    const double position =
        oracle::multiply(oracle::add(oracle::multiply(value, 0.5f), -half_low), bins_per_half);
    const double bin = std::fmin(std::fmax(std::floor(position), 0.0), 2047.0);
    ++counts[std::isnan(value) ? 2048 : static_cast<std::size_t>(bin)];
  }
  return counts;
}

Counts cpu_counts(const std::vector<float>& x, HistogramRange range) {
  Histogram histogram{.range = range, .counts = {}, .nans = 0};
  kernels::count(x.data(), 0, std::ssize(x), histogram, FloatType::kFloat32);
  Counts counts(histogram.counts.begin(), histogram.counts.end());
  counts.push_back(static_cast<unsigned long long>(histogram.nans));
  return counts;
}

/// The device's counts, apart from those of the NaNs.
struct DeviceCounts {
  DeviceArray<unsigned long long> bins{"counts", Counts(2048)}, nans{"nans", Counts(1)};

  const char* add(const void* x, FloatType type, HistogramRange range, std::int64_t n) {
    return launch_count(x, type, range, n, bins.data(), nans.data(), kStream);
  }
  Counts values() const {
    Counts all = bins.values();
    all.push_back(nans.values()[0]);
    return all;
  }
};

void expect_launch(const std::vector<float>& values, HistogramRange range, const Counts& expected,
                   std::size_t offset = 0) {
  DeviceArray<float> x("x", values, offset);
  DeviceCounts counts;
  ASSERT_EQ(counts.add(x.data(), FloatType::kFloat32, range, std::ssize(values)), nullptr);
  EXPECT_EQ(kernels::first_difference(counts.values(), expected), "");
}

const HistogramRange kRanges[] = {{0.0f, 2048.0f},    {-1.0f, 1.0f},     {0.1f, 0.7f},
                                  {-3e38f, kLargest}, {0.0f, 0x1p-100f}, {1.0f, 1.0f + 0x1p-20f}};

TEST(CudaHistogram, CountsExactlyAsTheFormulaAndTheCpu) {
  Random random(1);
  for (const HistogramRange range : kRanges) {
    std::vector<float> x = special_values();
    for (int bin = -2; bin <= 2050; bin += 3) {
      const double edge = range.low + (double{range.high} - range.low) * bin / 2048;
      if (std::fabs(edge) < kLargest) push_neighbours(static_cast<float>(edge), 1, x);
    }
    const Counts expected = expected_counts(x, range);
    EXPECT_EQ(kernels::first_difference(cpu_counts(x, range), expected), "");
    for_each_seed(2, [&] { expect_launch(x, range, expected); });
  }
}

TEST(CudaHistogram, EndsAtTheLastElementOfEveryCountAndPlacement) {
  Random random(2);
  for (const std::int64_t n : kDeviceCounts) {
    const std::vector<float> x = random_floats(random, n, 1.0f);
    for (const std::size_t offset : {0, 1})
      expect_launch(x, {-1.0f, 1.0f}, expected_counts(x, {-1.0f, 1.0f}), offset);
  }
}

TEST(CudaHistogram, AddsTheCountsOfSeveralBlocksAndLaunches) {
  Random random(3);
  const std::vector<float> values = random_floats(random, 40000, 1.0f);
  const HistogramRange range{-1.0f, 1.0f};
  Counts expected = expected_counts(values, range);
  for (auto& count : expected) count *= 2;
  for_each_seed(2, [&] {
    DeviceArray<float> x("x", values);
    DeviceCounts counts;
    for (int i = 0; i < 2; ++i) counts.add(x.data(), FloatType::kFloat32, range, 40000);
    EXPECT_EQ(kernels::first_difference(counts.values(), expected), "");
  });
}

TEST(CudaHistogram, WidensThe16BitTypesAsTheOracleDoes) {
  Random random(4);
  const HistogramRange range{-2.0f, 3.0f};
  for (const FloatType type : k16BitTypes) {
    const std::vector<std::uint16_t> bits = stored_bits(random_floats(random, 5003, 4.0f), type);
    DeviceArray<std::uint16_t> x("x", bits);
    DeviceCounts counts;
    counts.add(x.data(), type, range, 5003);
    EXPECT_EQ(kernels::first_difference(counts.values(), expected_counts(reals_of(bits, type), range)), "");
  }
}

TEST(CudaHistogram, LaunchesNothingForNothingAndReturnsTheTextOfARefusedLaunch) {
  EXPECT_EQ(launch_count(nullptr, FloatType::kFloat16, {0.0f, 1.0f}, 0, nullptr, nullptr, kStream), nullptr);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_count(nullptr, FloatType::kFloat16, {0.0f, 1.0f}, 1, nullptr, nullptr, kStream),
               kRefused);
}

}  // namespace
}  // namespace samebits::kernels::cuda
