// kernels/matmul/cuda/encode_rows.cu on the emulator: grids, codes, terms, operands and flags of the oracle
// for rows of every team and tail.
#include "kernels/matmul/cuda/encode_rows.cu"

#include "tests/cuda_kernels/device_cases.h"
#include "tests/kernels/affine_cases.h"

namespace samebits::kernels::cuda {
namespace {

struct RowsCase {
  std::int64_t rows, length;
  bool symmetric = true, finds_grids = true, has_one_scale = false;
  std::int64_t gap = 0, more_rows = 0;  // zeros behind a row, rows of zeros
  std::size_t offset = 0;               // of every array
};

/// A weight, and what the contract makes of it.
struct Rows {
  RowsCase shape;
  AffineGrid ends;  // qmin and qmax
  std::vector<float> weight, scale;
  std::vector<std::int32_t> zero_point, centered;
  std::vector<std::uint8_t> clip_mask;
  int not_finite = 0;

  Rows(Random& random, const RowsCase& c) : shape(c) {
    ends = c.symmetric ? AffineGrid{.qmin = -127, .qmax = 127} : AffineGrid{.qmin = -64, .qmax = 63};
    weight = random_floats(random, c.rows * c.length, 0.4f);
    for (std::int64_t i = 0; i < (c.has_one_scale ? 1 : c.rows); ++i) {
      scale.push_back(static_cast<float>(random_int(random, 100, 400)) * 1e-5f);
      zero_point.push_back(c.symmetric ? 0 : static_cast<std::int32_t>(random_int(random, -64, 63)));
    }
    compute();
  }
  std::vector<float> row(std::int64_t i) const {
    return {weight.begin() + i * shape.length, weight.begin() + (i + 1) * shape.length};
  }
  AffineGrid grid(std::int64_t i) {
    const std::int64_t index = shape.has_one_scale ? 0 : i;
    if (shape.finds_grids) {
      float least = kInfinity, greatest = -kInfinity;
      bool has_nan = false;
      for (const float value : row(i)) {
        has_nan |= std::isnan(value);
        if (!std::isnan(value)) least = std::min(least, value), greatest = std::max(greatest, value);
      }
      const bool is_finite = std::isfinite(least) && std::isfinite(greatest);
      if (!is_finite) least = greatest = 0.0f;
      if (!is_finite && !has_nan) not_finite |= kRowHoldsInfinity;
      const oracle::Grid found =
          oracle::grid_of_range(least, greatest, ends.qmin, ends.qmax, shape.symmetric);
      scale[index] = found.scale;
      zero_point[index] = found.zero_point;
    }
    return {scale[index], zero_point[index], ends.qmin, ends.qmax};
  }
  void compute() {
    not_finite = 0;
    centered.clear();
    clip_mask.clear();
    for (std::int64_t i = 0; i < shape.rows; ++i) {
      const AffineGrid own = grid(i);
      const Expected expected = expect_on(row(i), own);
      for (const std::int8_t code : expected.codes) centered.push_back(code - own.zero_point);
      clip_mask.insert(clip_mask.end(), expected.clip_mask.begin(), expected.clip_mask.end());
      if (expected.saw_nan) not_finite |= kRowHoldsNan;
    }
  }
};

/// The device's copy. Grids that are to be found begin as nothing.
struct DeviceRows {
  DeviceArray<float> weight, scale;
  DeviceArray<std::int32_t> zero_point;
  DeviceArray<int> not_finite{"not_finite", {0}};
  WeightRows rows;

  explicit DeviceRows(const Rows& r)
      : weight("weight", r.weight, r.shape.offset),
        scale(r.shape.finds_grids ? DeviceArray<float>::uninitialised("scale", r.scale.size())
                                  : DeviceArray<float>("scale", r.scale)),
        zero_point(r.shape.finds_grids
                       ? DeviceArray<std::int32_t>::uninitialised("zero_point", r.zero_point.size())
                       : DeviceArray<std::int32_t>("zero_point", r.zero_point)),
        rows{.weight = weight.data(),
             .rows = r.shape.rows,
             .row_length = r.shape.length,
             .qmin = r.ends.qmin,
             .qmax = r.ends.qmax,
             .scale = scale.data(),
             .zero_point = r.shape.symmetric ? nullptr : zero_point.data(),
             .has_one_scale = r.shape.has_one_scale,
             .finds_grids = r.shape.finds_grids,
             .not_finite = not_finite.data()} {}
  void expect_grids(const Rows& r) {
    EXPECT_EQ(first_difference(scale, r.scale), "");
    if (!r.shape.symmetric) {
      EXPECT_EQ(first_difference(zero_point, r.zero_point), "");
    }
    EXPECT_EQ(not_finite.values()[0], r.not_finite);
  }
};

/// `channel_scale`: a value a row, or empty for none.
void expect_forward(const Rows& r, const std::vector<float>& channel_scale = {}) {
  const RowsCase& c = r.shape;
  const std::int64_t stride = c.length + c.gap;
  std::vector<std::int8_t> codes((c.rows + c.more_rows) * stride);
  std::vector<std::int32_t> correction;
  std::vector<float> scale;
  for (std::int64_t row = 0; row < c.rows; ++row) {
    std::int32_t sum = 0;
    for (std::int64_t i = 0; i < c.length; ++i) {
      codes[row * stride + i] = static_cast<std::int8_t>(r.centered[row * c.length + i]);
      sum += r.centered[row * c.length + i];
    }
    correction.push_back(-77 * sum);
    scale.push_back(oracle::with_factor(oracle::multiply(0.0371f, r.scale[c.has_one_scale ? 0 : row]),
                                        channel_scale, row));
  }
  DeviceRows device(r);
  DeviceArray<float> x_scale("x_scale", {0.0371f});
  DeviceArray<std::int32_t> x_zero_point("x_zero_point", {-77});
  DeviceArray<float> factors("channel_scale", channel_scale);
  auto device_codes = DeviceArray<std::int8_t>::uninitialised("codes", codes.size(), c.offset);
  auto device_correction = DeviceArray<std::int32_t>::uninitialised("correction", c.rows);
  auto device_scale = DeviceArray<float>::uninitialised("scale", c.rows);
  ASSERT_EQ(launch_encode_rows(device.rows,
                               ForwardRows{.codes = device_codes.data(),
                                           .stride = stride,
                                           .padded_rows = c.rows + c.more_rows,
                                           .x_scale = x_scale.data(),
                                           .x_zero_point = x_zero_point.data(),
                                           .correction = device_correction.data(),
                                           .scale = device_scale.data(),
                                           .channel_scale = channel_scale.empty() ? nullptr : factors.data()},
                               kStream),
            nullptr);
  EXPECT_EQ(first_difference(device_codes, codes), "");
  EXPECT_EQ(first_difference(device_correction, correction), "");
  EXPECT_EQ(first_difference(device_scale, scale), "");
  device.expect_grids(r);
}

void expect_backward(const Rows& r) {
  std::vector<Bf16> operand;
  for (const std::int32_t value : r.centered) operand.push_back(oracle::bf16_bits(static_cast<float>(value)));
  DeviceRows device(r);
  auto codes = DeviceArray<Bf16>::uninitialised("codes", operand.size(), r.shape.offset);
  auto clip_mask = DeviceArray<std::uint8_t>::uninitialised("clip_mask", r.clip_mask.size());
  ASSERT_EQ(launch_encode_rows(device.rows, BackwardRows{codes.data(), clip_mask.data()}, kStream), nullptr);
  EXPECT_EQ(first_difference(codes, operand), "");
  EXPECT_EQ(first_difference(clip_mask, r.clip_mask), "");
  device.expect_grids(r);
}

const RowsCase kCases[] = {
    {1, 1},
    {3, 7, false, true, false, 9, 2},
    {9, 8, true, false, true},
    {17, 40, true, true, false, 8},
    {5, 33, false, false, false, 15, 11},
    {3, 512},
    {2, 513, false, true, false, 3},
    {2, 2048, true, false},
    {2, 2049, false, true, false, 15, 14, 1},
    {2, 8200, true, true, false, 8, 0, 3},
    {2, 16384 + 13, false, true, false, 3},  // longer than what a block holds
    {1, 16384 + 2051, true, false},
};

TEST(CudaEncodeRows, MakesGridsCodesAndTermsOfTheForwardForEveryTeamAndTail) {
  Random random(1);
  for (const RowsCase& c : kCases) {
    SCOPED_TRACE(testing::Message() << c.rows << " x " << c.length);
    const Rows rows(random, c);
    for_each_seed(2, [&] { expect_forward(rows); });
    expect_forward(rows, random_channel_scales(random, c.rows));
  }
}

TEST(CudaEncodeRows, MakesTheExactOperandAndTheMaskOfTheBackward) {
  Random random(2);
  for (const RowsCase& c : kCases) {
    SCOPED_TRACE(testing::Message() << c.rows << " x " << c.length);
    const Rows rows(random, c);
    for_each_seed(2, [&] { expect_backward(rows); });
  }
}

TEST(CudaEncodeRows, SettlesTheHardValuesOfEveryGridAsTheOracleDoes) {
  Random random(3);
  for (const GridCase& hard : kGrids) {
    if (hard.grid.zero_point != 0 && hard.grid.qmax - hard.grid.qmin > 127) continue;  // no weight's
    SCOPED_TRACE(hard.why);
    const std::vector<float> values = hard_values(hard.grid);
    Rows rows(random, {1, std::ssize(values), hard.grid.zero_point == 0, false});
    rows.weight = values;
    rows.ends = hard.grid;
    rows.scale = {hard.grid.scale};
    rows.zero_point = {hard.grid.zero_point};
    rows.compute();
    expect_forward(rows);
    expect_backward(rows);
  }
}

TEST(CudaEncodeRows, TellsOfNanAndInfinityAndGivesTheirRowsTheGridOfZerosOrOfTheRest) {
  Random random(4);
  const float nan = nans().front();
  for (const std::int64_t length : {40, 3000}) {
    for (const auto& odd : {std::vector<float>{nan}, {kInfinity}, {-kInfinity}, {nan, kInfinity}, {-0.0f}}) {
      for (const bool everywhere : {false, true}) {
        SCOPED_TRACE(testing::Message()
                     << length << ", " << odd.front() << (everywhere ? " everywhere" : ""));
        Rows rows(random, {3, length, length == 40});
        for (std::int64_t i = 0; i < (everywhere ? length : 2); ++i)
          rows.weight[length + i * (length - 1) / (everywhere ? length - 1 : 1)] = odd[i % odd.size()];
        rows.compute();
        expect_forward(rows);
        expect_backward(rows);
      }
    }
  }
}

TEST(CudaEncodeRows, LaunchesNothingForNothingAndReturnsTheTextOfARefusedLaunch) {
  const std::uint64_t before = cuda_emulator::launch_count();
  EXPECT_EQ(launch_encode_rows({.rows = 0}, ForwardRows{}, kStream), nullptr);
  EXPECT_EQ(launch_encode_rows({.rows = 0}, BackwardRows{}, kStream), nullptr);
  EXPECT_EQ(cuda_emulator::launch_count(), before);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_encode_rows({.rows = 1, .row_length = 1}, ForwardRows{.padded_rows = 1}, kStream),
               kRefused);
  cuda_emulator::refuse_next_launch();  // of the rows of zeros
  EXPECT_STREQ(
      launch_encode_rows({.rows = 1, .row_length = 1}, ForwardRows{.stride = 1, .padded_rows = 2}, kStream),
      kRefused);
  cuda_emulator::refuse_next_launch();
  EXPECT_STREQ(launch_encode_rows({.rows = 1, .row_length = 1}, BackwardRows{}, kStream), kRefused);
}

}  // namespace
}  // namespace samebits::kernels::cuda
