// kernels/observe/cuda/min_max.cu on the emulator: the ranges of every segment, by bits, as a plain loop and
// the CPU find them.
#include "kernels/observe/cuda/min_max.cu"

#include "tests/cuda_kernels/device_cases.h"
#include "tests/kernels/affine_cases.h"

namespace samebits::kernels::cuda {
namespace {

struct Ranges {
  std::vector<float> min, max;
  bool saw_nan = false;
};

/// By coordinates: element [row][column] belongs to segment [row][column / group_size].
Ranges expected_ranges(const std::vector<float>& x, std::int64_t rows, std::int64_t row_length,
                       std::int64_t group_size) {
  if (group_size == 0) group_size = std::max<std::int64_t>(row_length, 1);
  const std::int64_t groups = std::max<std::int64_t>(1, (row_length + group_size - 1) / group_size);
  Ranges ranges{std::vector<float>(rows * groups, kInfinity), std::vector<float>(rows * groups, -kInfinity)};
  for (std::int64_t row = 0; row < rows; ++row) {
    for (std::int64_t column = 0; column < row_length; ++column) {
      const float value = x[row * row_length + column];
      if (std::isnan(value)) {
        ranges.saw_nan = true;
        continue;
      }
      float &min = ranges.min[row * groups + column / group_size],
            &max = ranges.max[row * groups + column / group_size];
      min = std::min(min, value == 0 ? 0.0f : value);
      max = std::max(max, value == 0 ? 0.0f : value);
    }
  }
  return ranges;
}

void expect_launch(const std::vector<float>& values, std::int64_t rows, std::int64_t row_length,
                   std::int64_t group_size, std::size_t offset = 0) {
  const Ranges expected = expected_ranges(values, rows, row_length, group_size);
  const Segments segments = Segments::of(rows, row_length, group_size);
  ASSERT_EQ(segments.count(), std::ssize(expected.min));
  DeviceArray<float> x("x", values, offset);
  auto partials = DeviceArray<MinMax>::uninitialised("partials", segments.chunks());
  auto min = DeviceArray<float>::uninitialised("min", segments.count());
  auto max = DeviceArray<float>::uninitialised("max", segments.count());
  DeviceArray<int> saw_nan("saw_nan", {0});
  ASSERT_EQ(
      launch_min_max(x.data(), segments, partials.data(), min.data(), max.data(), saw_nan.data(), kStream),
      nullptr);
  EXPECT_EQ(first_difference(min, expected.min), "");
  EXPECT_EQ(first_difference(max, expected.max), "");
  EXPECT_EQ(saw_nan.values()[0], expected.saw_nan ? 1 : 0);
}

TEST(CudaMinMax, FindsTheRangeOfAWholeTensorOfAnyLengthAndPlacement) {
  Random random(1);
  for (const std::int64_t n : {0, 1, 3, 4, 5, 31, 127, 128, 129, 1000, 4095, 4096, 4097, 8192, 20001}) {
    std::vector<float> x = random_floats(random, n, 5.0f);
    for (const std::size_t offset : {0, 1, 3}) {
      SCOPED_TRACE(testing::Message() << n << " elements, offset " << offset);
      for_each_seed(2, [&] { expect_launch(x, 1, n, 0, offset); });
    }
    const MinMax cpu = kernels::min_max(x.data(), 0, n);
    const Ranges expected = expected_ranges(x, 1, n, 0);
    EXPECT_EQ(bits(cpu.min), bits(expected.min[0]));
    EXPECT_EQ(bits(cpu.max), bits(expected.max[0]));
  }
}

TEST(CudaMinMax, SeesAnExtremeAndANaNAtEveryPlaceOfAChunk) {
  const std::int64_t n = 133;
  for (std::int64_t at = 0; at < n; ++at) {
    for (const float value : {9.0f, -9.0f, nans()[at % nans().size()], kInfinity, -kInfinity}) {
      std::vector<float> x(n, 1.0f);
      x[at] = value;
      expect_launch(x, 1, n, 0);
    }
  }
}

/// Rows for every warp of two blocks, so that all of them are looked at.
TEST(CudaMinMax, SeesAnExtremeAtEveryPlaceOfEveryWarpsSegment) {
  const std::int64_t rows = 11, row_length = 133;
  for (std::int64_t at = 0; at < row_length; ++at) {
    std::vector<float> x(rows * row_length, 1.0f);
    for (std::int64_t row = 0; row < rows; ++row) x[row * row_length + (at + row) % row_length] = 9.0f;
    expect_launch(x, rows, row_length, 0);
  }
}

TEST(CudaMinMax, CountsMinusZeroAsZeroAndOnlyNaNsAsNothing) {
  expect_launch(std::vector<float>(100, -0.0f), 1, 100, 0);
  expect_launch({0.0f, -0.0f, 0.0f}, 1, 3, 0);
  expect_launch(nans(), 1, std::ssize(nans()), 0);
  expect_launch({-0x1p-149f, 0x1p-149f}, 1, 2, 0);
}

TEST(CudaMinMax, FindsTheRangeOfEachRowAndGroup) {
  struct Case {
    std::int64_t rows, row_length, group_size;
  };
  Random random(2);
  for (const Case& c : {Case{5, 9, 0},
                        {3, 19, 8},
                        {4, 64, 32},
                        {2, 5, 1},
                        {4, 6, 32},
                        {300, 7, 3},
                        {2, 5000, 0},
                        {2, 9001, 4500},
                        {3, 0, 0},
                        {0, 5, 0}}) {
    SCOPED_TRACE(testing::Message() << c.rows << " rows of " << c.row_length << ", groups of "
                                    << c.group_size);
    std::vector<float> x = random_floats(random, c.rows * c.row_length, 5.0f);
    if (c.rows == 5) x[17] = nans().front();
    for_each_seed(3, [&] { expect_launch(x, c.rows, c.row_length, c.group_size); });
  }
}

TEST(CudaMinMax, GivesTheSameRangesOnOneBlock) {
  Random random(3);
  const std::vector<float> values = random_floats(random, 40 * 50, 5.0f);
  const Segments segments = Segments::of(40, 50, 16);
  const Ranges expected = expected_ranges(values, 40, 50, 16);
  for_each_seed(3, [&] {
    DeviceArray<float> x("x", values);
    auto partials = DeviceArray<MinMax>::uninitialised("partials", segments.chunks());
    auto min = DeviceArray<float>::uninitialised("min", segments.count());
    auto max = DeviceArray<float>::uninitialised("max", segments.count());
    DeviceArray<int> saw_nan("saw_nan", {0});
    emulate(1, kThreads, min_max_chunks, x.data(), segments, partials.data());
    emulate(1, kThreads, min_max_segments, partials.data(), segments, min.data(), max.data(), saw_nan.data());
    EXPECT_EQ(first_difference(min, expected.min), "");
    EXPECT_EQ(first_difference(max, expected.max), "");
  });
}

TEST(CudaMinMax, ReturnsTheTextOfARefusedLaunchAndStopsThere) {
  auto partials = DeviceArray<MinMax>::uninitialised("partials", 1);
  const std::uint64_t before = cuda_emulator::launch_count();
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(
      launch_min_max(nullptr, Segments::of(1, 1, 0), partials.data(), nullptr, nullptr, nullptr, kStream),
      kRefused);
  EXPECT_EQ(cuda_emulator::launch_count(), before + 1);
}

}  // namespace
}  // namespace samebits::kernels::cuda
