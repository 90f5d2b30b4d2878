// kernels/quantize/lsq.h against the oracle, and against the derivative of a quantizer with frozen rounding
// in double.
#include "kernels/quantize/lsq.h"

#include <gmock/gmock.h>

#include "kernels/quantize/fake_quantize.h"
#include "tests/kernels/lsq_oracle.h"
#include "tests/kernels/stored.h"

namespace samebits::kernels {
namespace {

using namespace lsq;

class Lsq : public KernelTest {};

/// lsq_backward on pieces of slots, as threads share them, then lsq_fold.
Gradients run(const Example& example, std::vector<std::pair<std::int64_t, std::int64_t>> pieces) {
  Guarded<float> grad_x(example.n());
  Gradients got{.grad_x = {},
                .grad_scale = std::vector<float>(example.shape.grids()),
                .grad_zero_point = std::vector<float>(example.shape.grids())};
  std::vector<LsqSums> sums(LsqLayout(example.table, example.n()).slots(), LsqSums{1e30, 1e30});
  for (const auto& [first, last] : pieces)
    got.saw_nan |= lsq_backward({example.x.data(), example.grad_y.data(), grad_x.data()}, example.table,
                                example.n(), sums.data(), first, last);
  lsq_fold(sums.data(), example.table, example.n(), got.grad_scale.data(), got.grad_zero_point.data());
  EXPECT_TRUE(grad_x.guards_untouched());
  got.grad_x = grad_x.values();
  return got;
}
Gradients run(const Example& example) {
  return run(example, {{0, LsqLayout(example.table, example.n()).slots()}});
}

void expect_equal(const Gradients& got, const Gradients& expected) {
  EXPECT_EQ(first_difference(got.grad_x, expected.grad_x), "");
  EXPECT_EQ(first_difference(got.grad_scale, expected.grad_scale), "");
  EXPECT_EQ(first_difference(got.grad_zero_point, expected.grad_zero_point), "");
  EXPECT_EQ(got.saw_nan, expected.saw_nan);
}

struct Case {
  const char* why;
  float x, g;
  AffineGrid grid;
  Term term;
};
const float kNaN = std::numeric_limits<float>::quiet_NaN();
const Case kCases[] = {
    {"a value on the grid moves nothing", 4.0f, 3.0f, {.scale = 0.5f}, {3.0f, 0.0, 0.0}},
    {"rounding up gives a positive slope", 1.75f, 2.0f, {.scale = 1.0f}, {2.0f, 0.5, 0.0}},
    {"rounding down gives a negative one", 1.25f, 2.0f, {.scale = 1.0f}, {2.0f, -0.5, 0.0}},
    {"a tie goes to even", 2.5f, 1.0f, {.scale = 1.0f}, {1.0f, -0.5, 0.0}},
    {"above the range", 1000.0f, 2.0f, {.scale = 1.0f, .zero_point = 27}, {0.0f, 200.0, 2.0}},
    {"below the range", -1000.0f, 2.0f, {.scale = 1.0f, .zero_point = 27}, {0.0f, -310.0, 2.0}},
    {"infinity is above", kInfinity, 1.0f, {.scale = 1.0f}, {0.0f, 127.0, 1.0}},
    {"minus infinity is below", -kInfinity, 1.0f, {.scale = 1.0f}, {0.0f, -128.0, 1.0}},
    {"rounding into the range is inside", -128.5f, 1.0f, {.scale = 1.0f}, {1.0f, 0.5, 0.0}},
    {"a code of the zero point that clips",
     -3.0f,
     5.0f,
     {.scale = 1.0f, .zero_point = 0, .qmin = 0},
     {0.0f, 0.0, 5.0}},
    {"NaN moves nothing", kNaN, 7.0f, {.scale = 1.0f, .zero_point = 9}, {0.0f, 0.0, 0.0}},
    {"NaN moves nothing even under an infinite gradient", kNaN, kInfinity, {.scale = 1.0f}, {0.0f, 0.0, 0.0}},
    {"the product is not rounded",
     0x1.800002p-1f,
     0x1.000002p+0f,
     {.scale = 1.0f},
     {0x1.000002p+0f, 0x1.000002p0 * 0x0.7ffffep-1, 0.0}},
};

TEST_F(Lsq, GivesTheGradientsOfHandMadeCases) {
  for (const Case& c : kCases) {
    for (const std::int64_t n : {1, 16, 19}) {  // only a tail, only vectors, both
      SCOPED_TRACE(testing::Message() << c.why << ", n = " << n);
      const std::vector<float> x(n, c.x), g(n, c.g);
      for (const auto& entry : under_test(lsq_backward_run)) {
        SCOPED_TRACE(entry.name);
        std::vector<float> grad_x(n);
        LsqSums sums{1.0, 2.0};
        EXPECT_EQ(entry.run({x.data(), g.data(), grad_x.data()}, c.grid, 0, n, sums), std::isnan(c.x));
        EXPECT_THAT(grad_x, testing::Each(c.term.grad_x));
        EXPECT_EQ(sums.slopes, 1.0 + chunk_sum(std::vector<double>(n, c.term.slope)));
        EXPECT_EQ(sums.clipped, 2.0 + chunk_sum(std::vector<double>(n, c.term.clipped)));
      }
      for (const auto& entry : under_test(lsq_backward_columns)) {
        SCOPED_TRACE(entry.name);
        std::vector<float> grad_x(n);
        const std::vector<float> scale(n, c.grid.scale);
        const std::vector<std::int32_t> zero_point(n, c.grid.zero_point);
        std::vector<LsqSums> sums(n, LsqSums{1.0, 2.0});
        const LsqColumns columns{scale.data(), zero_point.data(), c.grid.qmin, c.grid.qmax, n, 1, 0, n};
        EXPECT_EQ(entry.run({x.data(), g.data(), grad_x.data()}, columns, sums.data()), std::isnan(c.x));
        EXPECT_THAT(grad_x, testing::Each(c.term.grad_x));
        for (const LsqSums& sum : sums) {
          EXPECT_EQ(sum.slopes, c.term.slope);
          EXPECT_EQ(sum.clipped, c.term.clipped);
        }
      }
    }
  }
}

TEST_F(Lsq, MatchesTheOracleOnHardValuesOfEveryGrid) {
  Random random(1);
  for (const GridCase& c : kGrids) {
    SCOPED_TRACE(c.why);
    std::vector<float> x = hard_values(c.grid);
    x.resize(std::min<std::size_t>(x.size(), 4096));
    const auto n = std::ssize(x);
    const std::vector<float> g = wide_floats(random, n);
    std::vector<float> expected;
    std::vector<double> slopes, clipped;
    for (std::int64_t i = 0; i < n; ++i) {
      const Term term = term_of(x[i], g[i], c.grid);
      expected.push_back(term.grad_x);
      slopes.push_back(term.slope);
      clipped.push_back(term.clipped);
    }
    for (const auto& entry : under_test(lsq_backward_run)) {
      SCOPED_TRACE(entry.name);
      Guarded<float> grad_x(n);
      LsqSums sums;
      EXPECT_TRUE(entry.run({x.data(), g.data(), grad_x.data()}, c.grid, 0, n, sums));  // NaNs are among them
      EXPECT_EQ(first_difference(grad_x.values(), expected), "");
      EXPECT_EQ(bits(sums.slopes), bits(chunk_sum(slopes))) << sums.slopes;
      EXPECT_EQ(bits(sums.clipped), bits(chunk_sum(clipped))) << sums.clipped;
      EXPECT_TRUE(grad_x.guards_untouched());
    }
  }
}

TEST_F(Lsq, AddsInTheDocumentedOrderForEveryGranularity) {
  Random random(2);
  for (const Granularity& granularity : granularities()) {
    SCOPED_TRACE(granularity.why);
    const Example example(random, granularity);
    expect_equal(run(example), expect(example));
  }
}

// As threads share a tensor: any slots, in any order.
TEST_F(Lsq, AnySplitOfTheSlotsInAnyOrderGivesTheSameBits) {
  Random random(3);
  for (const Granularity& granularity : granularities()) {
    SCOPED_TRACE(granularity.why);
    Example example(random, granularity);
    example.x.back() = nans().front();
    const Gradients expected = expect(example);
    for (int round = 0; round < 5; ++round) {
      auto pieces = random_pieces(random, LsqLayout(example.table, example.n()).slots(), 1);
      std::shuffle(pieces.begin(), pieces.end(), random);
      expect_equal(run(example, pieces), expected);
    }
  }
}

TEST_F(Lsq, ASymmetricTableAndNoGradientOfItsZeroPointAreAllowed) {
  Random random(4);
  for (const Granularity& granularity : granularities()) {
    SCOPED_TRACE(granularity.why);
    Example example(random, granularity);
    std::fill(example.grids.zero_point.begin(), example.grids.zero_point.end(), 0);
    const Gradients expected = expect(example);
    GridTable table = example.table;
    table.zero_point = nullptr;
    const std::int64_t slots = LsqLayout(table, example.n()).slots();
    std::vector<LsqSums> sums(slots);
    std::vector<float> grad_x(example.n()), grad_scale(example.shape.grids());
    lsq_backward({example.x.data(), example.grad_y.data(), grad_x.data()}, table, example.n(), sums.data(), 0,
                 slots);
    lsq_fold(sums.data(), table, example.n(), grad_scale.data(), nullptr);
    EXPECT_EQ(first_difference(grad_scale, expected.grad_scale), "");
    EXPECT_EQ(first_difference(grad_x, expected.grad_x), "");
  }
}

TEST_F(Lsq, MayWriteOverTheGradientItReads) {
  Random random(5);
  for (const Granularity& granularity : granularities()) {
    SCOPED_TRACE(granularity.why);
    const Example example(random, granularity);
    std::vector<float> grad = example.grad_y;
    const std::int64_t slots = LsqLayout(example.table, example.n()).slots();
    std::vector<LsqSums> sums(slots);
    lsq_backward({example.x.data(), grad.data(), grad.data()}, example.table, example.n(), sums.data(), 0,
                 slots);
    EXPECT_EQ(first_difference(grad, expect(example).grad_x), "");
  }
}

TEST_F(Lsq, WorksOnAnyPartAtAnyAlignmentAndWritesNothingElse) {
  const AffineGrid grid{.scale = 0.1f, .zero_point = 3};
  Random random(6);
  const std::int64_t n = 60;
  const std::vector<float> values = random_floats(random, n, 16.0f), grads = wide_floats(random, n);
  for (std::int64_t begin = 0; begin <= n; ++begin) {
    for (std::int64_t end = begin; end <= n; ++end) {
      std::vector<float> parts(n, nans().front());  // a NaN wherever it must not look
      std::copy(values.begin() + begin, values.begin() + end, parts.begin() + begin);
      const Unaligned<float> x(parts, begin % 5), grad_y(grads, end % 3);
      std::vector<double> slopes;
      for (std::int64_t i = begin; i < end; ++i) slopes.push_back(term_of(values[i], grads[i], grid).slope);
      for (const auto& entry : under_test(lsq_backward_run)) {
        Guarded<float> grad_x(n);
        LsqSums sums;
        ASSERT_FALSE(entry.run({x.data(), grad_y.data(), grad_x.data()}, grid, begin, end, sums))
            << entry.name;
        ASSERT_EQ(bits(sums.slopes), bits(chunk_sum(slopes))) << entry.name << " " << begin << " " << end;
        ASSERT_TRUE(grad_x.untouched_outside(begin, end)) << entry.name << " " << begin << " " << end;
      }
    }
  }
}

TEST_F(Lsq, AnInfiniteGradientGivesTheSameNaNEverywhere) {
  Random random(7);
  Example example(random, kLarge[0]);
  example.grad_y[5000] = kInfinity;
  example.grad_y[5001] = -kInfinity;
  example.x[5000] = example.x[5001] = 1e6f;  // both clipped
  const Gradients got = run(example);
  EXPECT_EQ(bits(got.grad_scale[0]), bits(kNaN));
  EXPECT_EQ(bits(got.grad_zero_point[0]), bits(kNaN));
  EXPECT_FALSE(got.saw_nan);
}

TEST_F(Lsq, AnEmptyTensorHasNoSlotsAndGradientsOfZero) {
  const float scale = 1.0f;
  for (const std::int64_t length : {0, 5}) {
    const GridTable table{&scale, nullptr, -128, 127, length, length, 1};
    EXPECT_EQ(LsqLayout(table, 0).slots(), 0);
    float grad_scale = 9.0f, grad_zero_point = 9.0f;
    EXPECT_FALSE(lsq_backward({}, table, 0, nullptr, 0, 0));
    lsq_fold(nullptr, table, 0, &grad_scale, &grad_zero_point);
    EXPECT_EQ(grad_scale, 0.0f);
    EXPECT_EQ(grad_zero_point, 0.0f);
  }
}

/// Sum of g * y where y quantizes with the rounding errors that `at` makes, all frozen: what the
/// straight-through estimator takes the derivative of. Scale and zero point are real numbers.
double frozen_loss(const Example& example, const AffineGrid& at, double scale, double zero_point) {
  double loss = 0.0;
  for (std::int64_t i = 0; i < example.n(); ++i) {
    const double v = oracle::divide(example.x[i], at.scale), error = oracle::round_half_even(v) - v;
    const double position = example.x[i] / scale + error + zero_point;
    const double code = std::fmin(std::fmax(position, at.qmin), at.qmax);
    loss += example.grad_y[i] * (code - zero_point) * scale;
  }
  return loss;
}

TEST_F(Lsq, AgreesWithTheNumericalDerivativeOfAQuantizerWithFrozenRounding) {
  Random random(8);
  for (const AffineGrid& grid : {AffineGrid{0.1f, 0}, AffineGrid{0.07f, -20}, AffineGrid{0.3f, 2, -8, 7}}) {
    SCOPED_TRACE(testing::Message() << grid.scale << ", zero point " << grid.zero_point);
    Example example(random, kLarge[0]);
    example.grad_y = random_floats(random, example.n(), 1.0f);
    // The frozen quantizer has a kink at values that round to the first or the last code.
    for (float& x : example.x) {
      const double position = oracle::position(x, to_oracle(grid));
      if (position == grid.qmin || position == grid.qmax) x = 0.0f;
    }
    const std::int32_t zero_point = grid.zero_point;
    const GridTable table{&grid.scale, &zero_point, grid.qmin, grid.qmax, example.n(), example.n(), 1};
    const std::int64_t slots = LsqLayout(table, example.n()).slots();
    std::vector<LsqSums> sums(slots);
    std::vector<float> grad_x(example.n());
    float grad_scale = 0.0f, grad_zero_point = 0.0f;
    lsq_backward({example.x.data(), example.grad_y.data(), grad_x.data()}, table, example.n(), sums.data(), 0,
                 slots);
    lsq_fold(sums.data(), table, example.n(), &grad_scale, &grad_zero_point);

    const double factor = lsq_gradient_factor(example.n(), grid.qmax), h = 1e-7;
    const double by_scale = (frozen_loss(example, grid, grid.scale + h, zero_point) -
                             frozen_loss(example, grid, grid.scale - h, zero_point)) /
                            (2 * h);
    const double by_zero_point = (frozen_loss(example, grid, grid.scale, zero_point + h) -
                                  frozen_loss(example, grid, grid.scale, zero_point - h)) /
                                 (2 * h);
    EXPECT_NEAR(grad_scale / factor, by_scale, 1e-4 * std::fabs(by_scale) + 1e-2);
    EXPECT_NEAR(grad_zero_point / factor, by_zero_point, 1e-4 * std::fabs(by_zero_point) + 1e-2);
    EXPECT_GT(std::fabs(by_scale), 1.0);
    EXPECT_GT(std::fabs(by_zero_point), 0.1);
  }
}

TEST_F(Lsq, StopsTheGradientWhereTheMaskOfTheForwardPassIsSet) {
  Random random(9);
  const Example example(random, kLarge[5]);
  std::vector<float> y(example.n()), grad_x(example.n());
  std::vector<std::uint8_t> clip_mask((example.n() + 7) / 8);
  fake_quantize({example.x.data(), y.data(), clip_mask.data()}, example.table, 0, example.n());
  fake_quantize_backward(example.grad_y.data(), clip_mask.data(), grad_x.data(), 0, example.n(),
                         FloatType::kFloat32);
  EXPECT_EQ(first_difference(run(example).grad_x, grad_x), "");
}

TEST_F(Lsq, WidensSixteenBitFloatsAndCopiesTheBitsOfGradientsThatPass) {
  Random random(10);
  for (const StoredType& stored : kStoredTypes) {
    for (const Granularity& granularity : granularities()) {
      SCOPED_TRACE(testing::Message() << stored.name << ", " << granularity.why);
      Example example(random, granularity);
      example.grad_y = random_floats(random, example.n(), 1.0f);
      const Bytes x = encoded(example.x, stored.type), grad_y = encoded(example.grad_y, stored.type);
      example.x = decoded(x, stored.type);
      example.grad_y = decoded(grad_y, stored.type);
      const Gradients expected = expect(example);
      const std::int64_t slots = LsqLayout(example.table, example.n()).slots();
      std::vector<LsqSums> sums(slots);
      Bytes grad_x(x.size());
      Gradients got{.grad_x = {},
                    .grad_scale = std::vector<float>(granularity.grids()),
                    .grad_zero_point = std::vector<float>(granularity.grids())};
      got.saw_nan = lsq_backward({x.data(), grad_y.data(), grad_x.data(), stored.type}, example.table,
                                 example.n(), sums.data(), 0, slots);
      lsq_fold(sums.data(), example.table, example.n(), got.grad_scale.data(), got.grad_zero_point.data());
      got.grad_x = decoded(grad_x, stored.type);
      expect_equal(got, expected);
    }
  }
}

}  // namespace
}  // namespace samebits::kernels
