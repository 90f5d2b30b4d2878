// quant/ptq/gptq.h against the paper's own procedure (an explicit inverse, updated column by column), and
// what it gains over rounding to the nearest.
#include "quant/ptq/gptq.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <stdexcept>

#include "quant/ptq/on_grid.h"
#include "tests/kernels/kernel_test.h"

namespace samebits::quant {
namespace {

using kernels::Random;
using kernels::random_floats;

const Encoding kEncodings[] = {{8, -127, 127, true, Granularity::kPerChannel, 0},
                               {4, -8, 7, true, Granularity::kPerChannel, 0},
                               {3, -4, 3, false, Granularity::kPerChannel, 0},
                               {4, -8, 7, true, Granularity::kPerTensor, 0},
                               {4, -8, 7, false, Granularity::kPerGroup, 8}};

/// The moment of inputs whose features depend on each other.
InputMoment random_moment(Random& random, std::int64_t n, std::int64_t examples) {
  InputMoment moment{n, std::vector<double>(n * n, 0.0)};
  for (std::int64_t e = 0; e < examples; ++e) {
    std::vector<float> x = random_floats(random, n, 1.0f);
    for (std::int64_t i = 1; i < n; ++i) x[i] += 0.8f * x[i - 1];
    for (std::int64_t i = 0; i < n; ++i)
      for (std::int64_t j = 0; j < n; ++j)
        moment.values[i * n + j] += double{x[i]} * double{x[j]} / static_cast<double>(examples);
  }
  return moment;
}

using Matrix = std::vector<std::vector<double>>;

/// By Gauss and Jordan.
Matrix inverse(Matrix a) {
  const std::size_t n = a.size();
  Matrix b(n, std::vector<double>(n, 0.0));
  for (std::size_t i = 0; i < n; ++i) b[i][i] = 1.0;
  for (std::size_t i = 0; i < n; ++i) {
    const double pivot = a[i][i];
    for (std::size_t j = 0; j < n; ++j) {
      a[i][j] /= pivot;
      b[i][j] /= pivot;
    }
    for (std::size_t r = 0; r < n; ++r) {
      if (r == i) continue;
      const double factor = a[r][i];
      for (std::size_t j = 0; j < n; ++j) {
        a[r][j] -= factor * a[i][j];
        b[r][j] -= factor * b[i][j];
      }
    }
  }
  return b;
}

/// The paper's algorithm 1 with blocks of one column: round, spread the error over the columns that follow
/// by the inverse, then take the column out of the inverse.
std::vector<float> by_the_paper(std::vector<float> weight, std::int64_t rows, const InputMoment& moment,
                                const Encoding& encoding, double damping) {
  const std::int64_t n = moment.features;
  const OwnGrids grids(weight.data(), rows, n, encoding);
  Matrix h(n, std::vector<double>(n));
  double trace = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    for (std::int64_t j = 0; j < n; ++j) h[i][j] = moment.values[i * n + j];
    trace += h[i][i];
  }
  for (std::int64_t i = 0; i < n; ++i) h[i][i] += damping * trace / static_cast<double>(n);
  Matrix left = inverse(h);
  std::vector<double> w(weight.begin(), weight.end());
  std::vector<float> reals(weight.size());
  for (std::int64_t k = 0; k < n; ++k) {
    for (std::int64_t row = 0; row < rows; ++row) {
      const float real = grids.nearest_real(row, k, w[row * n + k]);
      const double error = (w[row * n + k] - double{real}) / left[k][k];
      for (std::int64_t j = k; j < n; ++j) w[row * n + j] -= error * left[k][j];
      reals[row * n + k] = real;
    }
    for (std::int64_t i = k + 1; i < n; ++i)
      for (std::int64_t j = k + 1; j < n; ++j) left[i][j] -= left[i][k] * left[k][j] / left[k][k];
  }
  return reals;
}

std::vector<float> nearest(const std::vector<float>& weight, std::int64_t rows, const Encoding& encoding) {
  const auto row_length = static_cast<std::int64_t>(weight.size()) / rows;
  const QuantizedTensor tensor = encode(weight.data(), {rows, row_length}, encoding);
  std::vector<float> reals(weight.size());
  decode(tensor, reals.data());
  return reals;
}

TEST(Gptq, GivesTheCodesOfThePapersProcedure) {
  Random random(11);
  for (const Encoding& encoding : kEncodings)
    for (const std::int64_t n : {1, 2, 7, 24}) {
      const std::int64_t rows = 5;
      const InputMoment moment = random_moment(random, n, 3 * n);
      const std::vector<float> weight = random_floats(random, rows * n, 1.0f);
      EXPECT_EQ(gptq(weight, rows, moment, encoding, 0.01),
                by_the_paper(weight, rows, moment, encoding, 0.01))
          << to_text(encoding) << " " << n;
    }
}

TEST(Gptq, LosesLessThanRoundingToTheNearest) {
  Random random(12);
  const Encoding encoding{4, -8, 7, true, Granularity::kPerChannel, 0};
  const std::int64_t rows = 16, n = 48;
  for (int round = 0; round < 5; ++round) {
    const InputMoment moment = random_moment(random, n, 200);
    const std::vector<float> weight = random_floats(random, rows * n, 1.0f);
    const double plain = output_error(weight, nearest(weight, rows, encoding), rows, moment);
    EXPECT_LT(output_error(weight, gptq(weight, rows, moment, encoding), rows, moment), 0.7 * plain);
  }
}

TEST(Gptq, IsRoundingToTheNearestWhereInputsDoNotDependOnEachOther) {
  Random random(13);
  const std::int64_t rows = 6, n = 20;
  InputMoment moment{n, std::vector<double>(n * n, 0.0)};
  for (std::int64_t i = 0; i < n; ++i) moment.values[i * n + i] = 1.0 + static_cast<double>(i);
  for (const Encoding& encoding : kEncodings) {
    const std::vector<float> weight = random_floats(random, rows * n, 1.0f);
    EXPECT_EQ(gptq(weight, rows, moment, encoding), nearest(weight, rows, encoding)) << to_text(encoding);
  }
}

TEST(Gptq, LeavesRealsThatTheOneProducerGivesTheSameCodes) {
  Random random(14);
  for (const Encoding& encoding : kEncodings)
    for (int round = 0; round < 20; ++round) {
      const std::int64_t rows = 7, n = 24;
      const InputMoment moment = random_moment(random, n, 60);
      const std::vector<float> weight = random_floats(random, rows * n, 0.5f);
      const std::vector<float> reals = gptq(weight, rows, moment, encoding);
      EXPECT_TRUE(lies_on_own_grids(reals, rows, n, encoding)) << to_text(encoding);
    }
}

TEST(Gptq, BearsFeaturesThatNeverOccur) {
  Random random(15);
  const std::int64_t rows = 4, n = 10;
  InputMoment moment = random_moment(random, n, 50);
  for (std::int64_t i = 0; i < n; ++i) moment.values[3 * n + i] = moment.values[i * n + 3] = 0.0;
  const std::vector<float> weight = random_floats(random, rows * n, 1.0f);
  const std::vector<float> reals = gptq(weight, rows, moment, kEncodings[1]),
                           plain = nearest(weight, rows, kEncodings[1]);
  for (std::int64_t row = 0; row < rows; ++row) EXPECT_EQ(reals[row * n + 3], plain[row * n + 3]);
}

TEST(LiesOnOwnGrids, IsFalseBetweenCodes) {
  const Encoding encoding{4, -8, 7, true, Granularity::kPerChannel, 0};
  EXPECT_TRUE(lies_on_own_grids({7.0f, 3.0f, -2.0f, 0.0f}, 1, 4, encoding));
  EXPECT_FALSE(lies_on_own_grids({7.0f, 3.5f, -2.0f, 0.0f}, 1, 4, encoding));
  EXPECT_FALSE(lies_on_own_grids({3.0f, 2.0f, -2.0f, 0.0f}, 1, 4, encoding));
}

TEST(OutputError, IsTheMeanSquaredErrorOfTheOutputs) {
  // Two inputs, (1, 2) and (3, -1): moment [[5, -0.5], [-0.5, 2.5]]. Lost: (0.5, -0.25) and (0, 1).
  const InputMoment moment{2, {5.0, -0.5, -0.5, 2.5}};
  const double first = 0.0 * 0.0 + 1.75 * 1.75, second = 2.0 * 2.0 + 1.0;
  EXPECT_DOUBLE_EQ(output_error({1.5f, 0.75f, 2.0f, 1.0f}, {1.0f, 1.0f, 2.0f, 0.0f}, 2, moment),
                   (first + second) / 2);
}

std::string error_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "no error";
}

TEST(Gptq, RefusesWhatItCannotRound) {
  const double infinity = std::numeric_limits<double>::infinity();
  const auto error = [](std::vector<float> weight, InputMoment moment) {
    return error_of([&] { gptq(weight, 1, moment, kEncodings[0]); });
  };
  EXPECT_EQ(error({1.0f, 2.0f}, {2, {1.0, 0.0, 0.0, 1.0}}), "no error");
  EXPECT_EQ(error({1.0f, 2.0f}, {2, {1.0, 0.0, 0.0}}),
            "[gptq] moment: expected 2 x 2 values for a weight of 1 rows, got 3 for 2 weights");
  EXPECT_EQ(error({1.0f}, {2, {1.0, 0.0, 0.0, 1.0}}),
            "[gptq] moment: expected 2 x 2 values for a weight of 1 rows, got 4 for 1 weights");
  EXPECT_EQ(error({1.0f, 2.0f}, {2, {1.0, 0.0, 0.0, infinity}}),
            "[gptq] moment: expected finite values, got inf");
  EXPECT_EQ(error({1.0f, 2.0f}, {2, {0.0, 0.0, 0.0, 0.0}}),
            "[gptq] moment: expected inputs that are not all 0; calibrate on other batches");
  EXPECT_EQ(error({1.0f, std::nanf("")}, {2, {1.0, 0.0, 0.0, 1.0}}),
            "[quant] weight: expected finite values, got NaN");
}

}  // namespace
}  // namespace samebits::quant
