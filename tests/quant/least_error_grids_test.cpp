// quant/least_error_grids.h against a search with the oracle's formulas, for every granularity; encode_on().
#include "quant/least_error_grids.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "tests/kernels/layers.h"

namespace samebits::quant {
namespace {

using kernels::Random;

const Encoding kEncodings[] = {
    {4, -8, 7, true, Granularity::kPerChannel, 0}, {3, -4, 3, true, Granularity::kPerTensor, 0},
    {2, -2, 1, true, Granularity::kPerGroup, 32},  {4, -8, 7, false, Granularity::kPerChannel, 0},
    {3, -4, 3, false, Granularity::kPerGroup, 32},
};

double error_of(const std::vector<float>& values, const oracle::Grid& grid) {
  double sum = 0;
  for (const float value : values) {
    const int code = oracle::code(value, grid);
    const double error =
        double{value} - oracle::multiply(oracle::to_float(code - grid.zero_point), grid.scale);
    sum += error * error;
  }
  return sum;
}

/// The elements of each grid, gathered one by one.
std::vector<std::vector<float>> runs_of(const std::vector<float>& values, std::int64_t row_length,
                                        const Encoding& encoding) {
  std::vector<std::vector<float>> runs;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const auto row = static_cast<std::int64_t>(i) / row_length,
               column = static_cast<std::int64_t>(i) % row_length;
    std::int64_t index = 0;
    if (encoding.granularity == Granularity::kPerChannel) index = row;
    if (encoding.granularity == Granularity::kPerGroup)
      index =
          row * ((row_length + encoding.group_size - 1) / encoding.group_size) + column / encoding.group_size;
    if (static_cast<std::int64_t>(runs.size()) <= index) runs.resize(index + 1);
    runs[index].push_back(values[i]);
  }
  return runs;
}

oracle::Grid expected_grid(const std::vector<float>& run, const Encoding& encoding) {
  float low = run[0], high = run[0];
  for (const float value : run) {
    low = std::min(low, value);
    high = std::max(high, value);
  }
  oracle::Grid best;
  double least = std::numeric_limits<double>::infinity();
  for (int part = 64; part >= 13; --part) {
    const float factor = static_cast<float>(part) / 64;
    const oracle::Grid grid =
        oracle::grid_of_range(oracle::multiply(low, factor), oracle::multiply(high, factor), encoding.qmin,
                              encoding.qmax, encoding.symmetric);
    if (const double error = error_of(run, grid); error < least) {
      least = error;
      best = grid;
    }
  }
  return best;
}

TEST(LeastErrorGrids, AreThoseOfASearchWithTheOracle) {
  Random random(1);
  for (const Encoding& encoding : kEncodings) {
    for (const auto& [rows, row_length] : {std::pair<std::int64_t, std::int64_t>{1, 1}, {3, 32}, {5, 70}}) {
      SCOPED_TRACE(to_text(encoding) + ", " + std::to_string(rows) + " x " + std::to_string(row_length));
      const std::vector<float> values = kernels::random_floats(random, rows * row_length, 2.0f);
      const Grids got = least_error_grids(values.data(), rows, row_length, encoding);
      std::vector<float> scale;
      std::vector<std::int32_t> zero_point;
      for (const auto& run : runs_of(values, row_length, encoding)) {
        const oracle::Grid grid = expected_grid(run, encoding);
        scale.push_back(grid.scale);
        if (!encoding.symmetric) zero_point.push_back(grid.zero_point);
      }
      EXPECT_EQ(got.scale, scale);
      EXPECT_EQ(got.zero_point, zero_point);
    }
  }
}

TEST(LeastErrorGrids, ClipOneOutlierAmongManySmallValues) {
  std::vector<float> values(4096);
  for (std::size_t i = 0; i < values.size(); ++i) values[i] = std::sin(static_cast<float>(i));
  values[17] = 3.0f;
  const Encoding encoding{3, -4, 3, true, Granularity::kPerTensor, 0};
  const Grids grids = least_error_grids(values.data(), 1, 4096, encoding);
  EXPECT_LT(grids.scale[0], 0.5f);  // the whole range would have 1
}

TEST(LeastErrorGrids, OfAWeightOnItsOwnGridAreThatGrid) {
  const std::vector<float> values = {-0.75f, 0.25f, 0.5f, 0.0f, 0.75f, -0.5f};
  const Encoding encoding{3, -4, 3, true, Granularity::kPerTensor, 0};
  EXPECT_EQ(least_error_grids(values.data(), 2, 3, encoding).scale, std::vector<float>{0.25f});
}

std::string text_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "no error";
}

TEST(LeastErrorGrids, RefuseWhatIsNotFiniteOrEmpty) {
  const Encoding encoding;
  const auto of = [&](std::vector<float> values) {
    const auto n = static_cast<std::int64_t>(values.size());
    return text_of([&] { least_error_grids(values.data(), 1, n, encoding); });
  };
  EXPECT_EQ(of({}), "[quant] weight: expected at least 1 element, got none");
  EXPECT_EQ(of({1, std::numeric_limits<float>::quiet_NaN()}),
            "[quant] weight: expected finite values, got NaN");
  EXPECT_EQ(of({-std::numeric_limits<float>::infinity()}),
            "[quant] weight: expected finite values, got infinity");
}

TEST(EncodeOn, HasTheOraclesCodesOnGivenGrids) {
  Random random(2);
  const std::int64_t rows = 3, row_length = 70;
  for (const Encoding& encoding : kEncodings) {
    SCOPED_TRACE(to_text(encoding));
    const std::vector<float> values = kernels::random_floats(random, rows * row_length, 2.0f);
    const Grids grids = least_error_grids(values.data(), rows, row_length, encoding);
    const QuantizedTensor got = encode_on(values.data(), {rows, row_length}, encoding, grids);
    EXPECT_EQ(got.scale, grids.scale);
    EXPECT_EQ(got.zero_point, grids.zero_point);
    const auto runs = runs_of(values, row_length, encoding);
    std::vector<std::int8_t> expected;
    for (std::int64_t i = 0; i < rows * row_length; ++i) {
      std::int64_t index = 0;
      if (encoding.granularity == Granularity::kPerChannel) index = i / row_length;
      if (encoding.granularity == Granularity::kPerGroup) index = i / row_length * 3 + i % row_length / 32;
      const oracle::Grid grid{grids.scale[index], encoding.symmetric ? 0 : grids.zero_point[index],
                              encoding.qmin, encoding.qmax};
      expected.push_back(static_cast<std::int8_t>(oracle::code(values[i], grid)));
    }
    EXPECT_EQ(got.codes, expected);
  }
}

TEST(EncodeOn, RefusesGridsOfAnotherNumber) {
  const float values[] = {1, 2, 3, 4};
  EXPECT_EQ(text_of([&] {
              encode_on(values, {2, 2}, Encoding(), {{1.0f}, {}});
            }),
            "[quant] grids: expected 2 scales and 0 zero points, got 1 and 0");
}

}  // namespace
}  // namespace samebits::quant
