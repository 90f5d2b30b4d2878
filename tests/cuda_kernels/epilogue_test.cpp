// kernels/matmul/cuda/epilogue.cu on the emulator: the oracle's bits and the CPU's, for columns and rows,
// every tail, stride and placement.
#include "kernels/matmul/cuda/epilogue.cu"

#include <cmath>
#include <limits>

#ifdef __CUDACC__  // one program on a card: encode_rows_test.cpp compiles it
#include "kernels/matmul/cuda/encode_rows.h"
#else
#include "kernels/matmul/cuda/encode_rows.cu"
#endif
#include "kernels/matmul/linear.h"
#include "kernels/matmul/reference/epilogue.h"
#include "tests/cuda_kernels/device_cases.h"
#include "tests/kernels/affine_cases.h"

namespace samebits::kernels::cuda {
namespace {

struct EpilogueCase {
  std::int64_t m, n;
  bool rows = false, bias = true, relu = false;
  std::int64_t gap = 0;    // elements between rows, of the sums and of the output
  std::size_t offset = 0;  // of every array
};

/// The arrays of a call, and what the contract makes of them.
struct Epilogue {
  EpilogueCase shape;
  std::vector<std::int32_t> sums, correction;
  std::vector<float> scale, bias, y;  // y: [m][n], after the relu

  Epilogue(Random& random, const EpilogueCase& c) : shape(c) {
    const std::int64_t channels = c.rows ? c.m : c.n;
    for (std::int64_t i = 0; i < c.m * (c.n + c.gap); ++i)
      sums.push_back(static_cast<std::int32_t>(random_int(random, -1'000'000'000, 1'000'000'000)));
    for (std::int64_t i = 0; i < channels; ++i) {
      correction.push_back(static_cast<std::int32_t>(random_int(random, -1'000'000'000, 1'000'000'000)));
      scale.push_back(static_cast<float>(random_int(random, 1, 1 << 20)) * 0x1p-40f);
    }
    bias = random_floats(random, channels, 100.0f);
    compute();
  }
  void compute() {
    y.clear();
    for (std::int64_t row = 0; row < shape.m; ++row) {
      for (std::int64_t column = 0; column < shape.n; ++column) {
        const std::int64_t c = shape.rows ? row : column;
        const std::int64_t sum = sums[row * (shape.n + shape.gap) + column];
        float value = oracle::multiply(oracle::to_float(sum - correction[c]), scale[c]);
        if (shape.bias) value = oracle::add(value, bias[c]);
        y.push_back(shape.relu && value < 0.0f ? 0.0f : value);
      }
    }
  }
  /// y, or what is made of it, with the device's untouched bytes between the rows.
  template <class T, class Make>
  std::vector<T> expected(T untouched, Make make) const {
    std::vector<T> all(shape.m * (shape.n + shape.gap), untouched);
    for (std::int64_t row = 0; row < shape.m; ++row)
      for (std::int64_t column = 0; column < shape.n; ++column)
        all[row * (shape.n + shape.gap) + column] = make(y[row * shape.n + column]);
    return all;
  }
};

/// Launches on the device's copies: floats, or codes on `grid`.
template <class T, class Make>
void expect_launch(const Epilogue& e, T untouched, Make make, const AffineGrid* grid = nullptr,
                   bool saw_nan_expected = false) {
  const EpilogueCase& c = e.shape;
  DeviceArray<std::int32_t> sums("sums", e.sums, c.offset), correction("correction", e.correction, c.offset);
  DeviceArray<float> scale("scale", e.scale, c.offset), bias("bias", e.bias, c.offset);
  auto output = DeviceArray<T>::uninitialised("output", e.sums.size(), c.offset);
  DeviceArray<int> saw_nan("saw_nan", {0});
  const EpilogueArgs args{.sums = sums.data(),
                          .sums_stride = c.n + c.gap,
                          .m = c.m,
                          .n = c.n,
                          .terms = {correction.data(), scale.data(), c.bias ? bias.data() : nullptr},
                          .channels_are_rows = c.rows,
                          .relu = c.relu,
                          .output = output.data(),
                          .output_stride = c.n + c.gap};
  if (grid == nullptr) {
    ASSERT_EQ(launch_epilogue(args, kStream), nullptr);
  } else {
    DeviceTable table(*grid, 1);
    ASSERT_EQ(launch_epilogue_codes(args, table.table, saw_nan.data(), kStream), nullptr);
  }
  EXPECT_EQ(first_difference(output, e.expected(untouched, make)), "");
  EXPECT_EQ(saw_nan.values()[0], saw_nan_expected ? 1 : 0);
}

void expect_floats(const Epilogue& e) {
  expect_launch(e, std::bit_cast<float>(0xFFFFFFFFu), [](float y) { return y; });
}

void expect_codes(const Epilogue& e, const AffineGrid& grid, bool saw_nan = false) {
  expect_launch(
      e, std::int8_t{-1}, [&](float y) { return static_cast<std::int8_t>(oracle::code(y, to_oracle(grid))); },
      &grid, saw_nan);
}

const EpilogueCase kCases[] = {
    {1, 1},
    {3, 4},
    {2, 5, false, false},
    {5, 7, true},
    {4, 8, true, false, true},
    {3, 9, false, true, true},
    {2, 12, false, true, true},
    {7, 33, false, true, true, 3},
    {33, 17, true, true, true, 7, 1},
    {9, 64, false, false, false, 4, 2},
    {5, 515, false, true, true, 1, 3},
    {2, 1024, false, true, true},
};

TEST(CudaEpilogue, GivesTheBitsOfTheContractForColumnsAndRowsWithAndWithoutReluAndBias) {
  Random random(1);
  for (const EpilogueCase& c : kCases) {
    SCOPED_TRACE(testing::Message() << c.m << " x " << c.n);
    const Epilogue e(random, c);
    for_each_seed(3, [&] { expect_floats(e); });
  }
}

TEST(CudaEpilogue, PutsTheSameYOnAGridByATrueQuotient) {
  Random random(2);
  for (const EpilogueCase& c : kCases)
    for (const AffineGrid& grid : {AffineGrid{.scale = 0.37f, .zero_point = -7}, AffineGrid{.scale = 3e-3f},
                                   AffineGrid{.scale = 11.1f, .zero_point = 3, .qmin = -8, .qmax = 7}}) {
      SCOPED_TRACE(testing::Message() << c.m << " x " << c.n << ", scale " << grid.scale);
      const Epilogue e(random, c);
      for_each_seed(2, [&] { expect_codes(e, grid); });
    }
}

TEST(CudaEpilogue, KeepsInfinityInFloatsAndFlagsNanInCodes) {
  Random random(3);
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  for (const bool relu : {false, true}) {
    Epilogue e(random, {.m = 3, .n = 6, .relu = relu});
    e.bias = {1.0f, std::numeric_limits<float>::quiet_NaN(), kInfinity, -kInfinity, 0.0f, 2.0f};
    e.compute();
    expect_codes(e, {.scale = 0.5f, .zero_point = 5}, true);
    e.bias[1] = 0.0f;
    e.compute();
    expect_floats(e);
    expect_codes(e, {.scale = 0.5f, .zero_point = 5}, false);
  }
}

TEST(CudaEpilogue, GivesTheBitsOfTheReferenceRowByRow) {
  Random random(4);
  const Epilogue e(random, {.m = 5, .n = 77});
  std::vector<float> y(e.y.size());
  for (std::int64_t row = 0; row < 5; ++row)
    kernels::reference::epilogue_row(e.sums.data() + row * 77,
                                     {e.correction.data(), e.scale.data(), e.bias.data()},
                                     y.data() + row * 77, 77);
  EXPECT_EQ(kernels::first_difference(y, e.y), "");
  expect_floats(e);
}

TEST(CudaEpilogue, MakesTheBitsOfTheCpusLinearOutOfAFloatWeightAndExactSums) {
  Random random(6);
  const std::int64_t m = 9, n = 21, k = 77, columns = 32, depth = 80;
  const AffineGrid grid{.scale = 0.0213f, .zero_point = -41};
  const std::vector<std::int8_t> x = random_codes(random, m * k), weight = random_codes(random, n * k, -127);
  std::vector<float> scales = random_floats(random, n, 0.02f), bias = random_floats(random, n, 1.0f),
                     y(m * n);
  for (float& value : scales) value = std::fabs(value) + 0x1p-20f;
  PackedWeight packed = allocate_packed_weight(WeightOrder::kGemm, n, k, 0);
  pack_weight_rows(weight.data(), {scales.data()}, 0, n, packed);
  kernels::linear(packed, kernels::layer_terms(packed, grid, bias.data()), x.data(), y.data(),
                  gemm_region(m, n, 0, 1));

  std::vector<float> reals;
  for (std::int64_t i = 0; i < n * k; ++i) reals.push_back(static_cast<float>(weight[i]) * scales[i / k]);
  DeviceArray<float> device_weight("weight", reals), weight_scale("weight_scale", scales),
      x_scale("x_scale", {grid.scale}), device_bias("bias", bias);
  DeviceArray<std::int32_t> x_zero_point("x_zero_point", {grid.zero_point});
  auto codes = DeviceArray<std::int8_t>::uninitialised("codes", columns * depth);
  auto correction = DeviceArray<std::int32_t>::uninitialised("correction", n);
  auto scale = DeviceArray<float>::uninitialised("scale", n);
  auto output = DeviceArray<float>::uninitialised("output", m * n);
  ASSERT_EQ(launch_encode_rows({.weight = device_weight.data(),
                                .rows = n,
                                .row_length = k,
                                .qmin = -127,
                                .qmax = 127,
                                .scale = weight_scale.data(),
                                .zero_point = nullptr},
                               ForwardRows{codes.data(), depth, columns, x_scale.data(), x_zero_point.data(),
                                           correction.data(), scale.data()},
                               kStream),
            nullptr);
  const std::vector<std::int8_t> padded = codes.values();
  std::vector<std::int32_t> all_sums(m * columns);  // what cublasLt leaves
  for (std::int64_t row = 0; row < m; ++row)
    for (std::int64_t column = 0; column < columns; ++column)
      for (std::int64_t i = 0; i < k; ++i)
        all_sums[row * columns + column] += x[row * k + i] * padded[column * depth + i];
  DeviceArray<std::int32_t> sums("sums", all_sums);
  ASSERT_EQ(launch_epilogue({.sums = sums.data(),
                             .sums_stride = columns,
                             .m = m,
                             .n = n,
                             .terms = {correction.data(), scale.data(), device_bias.data()},
                             .output = output.data(),
                             .output_stride = n},
                            kStream),
            nullptr);
  EXPECT_EQ(first_difference(output, y), "");
}

TEST(CudaEpilogue, LaunchesNothingForNothingAndReturnsTheTextOfARefusedLaunch) {
  const std::uint64_t before = cuda_emulator::launch_count();
  DeviceTable table(AffineGrid{}, 1);
  EXPECT_EQ(launch_epilogue({.m = 0, .n = 3}, kStream), nullptr);
  EXPECT_EQ(launch_epilogue_codes({.m = 3, .n = 0}, table.table, nullptr, kStream), nullptr);
  EXPECT_EQ(cuda_emulator::launch_count(), before);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_epilogue({.m = 1, .n = 1}, kStream), kRefused);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_epilogue_codes({.m = 1, .n = 1}, table.table, nullptr, kStream), kRefused);
}

}  // namespace
}  // namespace samebits::kernels::cuda
