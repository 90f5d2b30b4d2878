// kernels/float/cuda/softmax.cu, normalize.cu and reduce.cu on the emulator: a warp or a thread a row, the
// oracle's bits for every length and number of rows.
#include "tests/kernels/float/rows.h"
#include "kernels/float/cuda/normalize.cu"
#include "kernels/float/cuda/reduce.cu"
#include "kernels/float/cuda/softmax.cu"
#include "tests/cuda_kernels/device_cases.h"

namespace samebits::kernels::cuda {
namespace {

std::vector<RowsCase> device_cases() {
  Random random(1);
  std::vector<RowsCase> cases = rows_cases(random);
  std::erase_if(cases, [](const RowsCase& c) { return c.shape.n > 4097; });
  return cases;
}

TEST(CudaRows, SoftmaxGivesTheOraclesBits) {
  for (const RowsCase& c : device_cases())
    for (const bool is_log : {false, true}) {
      SCOPED_TRACE(testing::Message()
                   << "n " << c.shape.n << ", inner " << c.shape.inner << ", log " << is_log);
      const std::vector<float> y =
          oracle::for_rows(c.x, c.shape.n, c.shape.inner,
                           [&](const std::vector<float>& row) { return oracle::softmax_of(row, is_log); });
      for_each_seed(2, [&] {
        DeviceArray<float> x("x", c.x, 1);
        auto to = DeviceArray<float>::uninitialised("y", c.x.size(), 2);
        ASSERT_EQ(launch_softmax({x.data(), to.data(), c.shape, is_log}, c.rows(), kStream), nullptr);
        EXPECT_EQ(first_difference(to, y), "");
        ASSERT_EQ(launch_softmax({x.data(), x.data(), c.shape, is_log}, c.rows(), kStream), nullptr);
        EXPECT_EQ(first_difference(x, y), "");
      });
    }
}

TEST(CudaRows, SumsMeansAndLargestElementsHaveTheOraclesBits) {
  const auto expected = [](const RowsCase& c, auto of_row) {
    return oracle::for_rows(c.x, c.shape.n, c.shape.inner, [&](const std::vector<float>& row) {
      return std::vector<float>{oracle::one_nan(of_row(row))};
    });
  };
  for (const RowsCase& c : device_cases()) {
    SCOPED_TRACE(testing::Message() << "n " << c.shape.n << ", inner " << c.shape.inner);
    DeviceArray<float> x("x", c.x, 1);
    auto y = DeviceArray<float>::uninitialised("y", c.rows());
    ASSERT_EQ(launch_sum_rows({x.data(), y.data(), c.shape}, c.rows(), kStream), nullptr);
    EXPECT_EQ(first_difference(y, expected(c, [](const auto& row) { return oracle::row_sum(row); })), "");
    ASSERT_EQ(launch_sum_rows({x.data(), y.data(), c.shape, true}, c.rows(), kStream), nullptr);
    EXPECT_EQ(first_difference(y, expected(c, oracle::row_mean)), "");
    ASSERT_EQ(launch_max_rows({x.data(), y.data(), c.shape}, c.rows(), kStream), nullptr);
    EXPECT_EQ(first_difference(y, expected(c, oracle::row_max)), "");
  }
}

TEST(CudaRows, NormsGiveTheOraclesBitsAndStatistics) {
  Random random(2);
  for (const std::int64_t n : {1, 31, 32, 33, 64, 100, 768, 4097})
    for (const bool is_rms : {false, true}) {
      const std::int64_t rows = 11;
      const std::vector<float> weight = random_floats(random, n, 2.0f), bias = random_floats(random, n, 1.0f);
      std::vector<float> values, y, rstd;
      for (std::int64_t row = 0; row < rows; ++row) {
        const std::vector<float> x = hard_row(random, n, 3.0f);
        const oracle::Normalized each = oracle::normalized(x, 1e-5f, is_rms, weight, bias);
        values.insert(values.end(), x.begin(), x.end());
        y.insert(y.end(), each.y.begin(), each.y.end());
        rstd.push_back(oracle::one_nan(each.rstd));
      }
      SCOPED_TRACE(testing::Message() << "n " << n << ", rms " << is_rms);
      DeviceArray<float> x("x", values), weights("weight", weight), biases("bias", bias);
      auto rstds = DeviceArray<float>::uninitialised("rstd", rows);
      const NormalizeArgs args{x.data(),      x.data(), n, 1e-5f,   is_rms,      weights.data(),
                               biases.data(), 1,        1, nullptr, rstds.data()};
      ASSERT_EQ(launch_normalize_rows(args, rows, kStream), nullptr);
      EXPECT_EQ(first_difference(x, y), "");
      EXPECT_EQ(first_difference(rstds, rstd), "");
    }
}

TEST(CudaRows, GroupsAndChannelsHaveTheBitsOfTheCpu) {
  Random random(3);
  const std::int64_t channels = 6, pixels = 35, groups = 2, images = 3;
  const std::vector<float> values = hard_row(random, images * channels * pixels, 3.0f),
                           weight = random_floats(random, channels, 2.0f),
                           bias = random_floats(random, channels, 1.0f);
  std::vector<float> y(values.size()), scaled(values.size());
  const std::int64_t n = channels / groups * pixels;
  kernels::normalize_rows(
      {values.data(), y.data(), n, 1e-5f, false, weight.data(), bias.data(), pixels, groups}, 0,
      images * groups);
  kernels::scale_channels({values.data(), scaled.data(), weight.data(), bias.data(), channels, pixels}, 0,
                          images * channels);
  DeviceArray<float> x("x", values), weights("weight", weight), biases("bias", bias);
  auto to = DeviceArray<float>::uninitialised("y", values.size());
  launch_normalize_rows({x.data(), to.data(), n, 1e-5f, false, weights.data(), biases.data(), pixels, groups},
                        images * groups, kStream);
  EXPECT_EQ(first_difference(to, y), "");
  launch_scale_channels({x.data(), to.data(), weights.data(), biases.data(), channels, pixels},
                        images * channels, kStream);
  EXPECT_EQ(first_difference(to, scaled), "");
}

TEST(CudaRows, LaunchNothingForNothing) {
  EXPECT_EQ(launch_softmax({nullptr, nullptr, {5}}, 0, kStream), nullptr);
  EXPECT_EQ(launch_sum_rows({nullptr, nullptr, {5}}, 0, kStream), nullptr);
  EXPECT_EQ(launch_max_rows({nullptr, nullptr, {5}}, 0, kStream), nullptr);
  EXPECT_EQ(launch_normalize_rows({}, 0, kStream), nullptr);
  EXPECT_EQ(launch_scale_channels({}, 0, kStream), nullptr);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_softmax({nullptr, nullptr, {5}}, 1, kStream), kRefused);
}

}  // namespace
}  // namespace samebits::kernels::cuda
