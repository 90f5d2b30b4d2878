// kernels/conv/depthwise.h against int64 sums: both steps, every tail of a row, any taps, parts of the rows.
#include "kernels/conv/depthwise.h"

#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {
namespace {

class Depthwise : public KernelTest {};

struct Plane {
  std::int64_t rows, columns, step, row_codes;
  std::vector<TapPair> pairs;
  std::vector<std::int16_t> x;

  Plane(Random& random, std::int64_t rows, std::int64_t columns, std::int64_t step, std::int64_t pair_count)
      : rows(rows), columns(columns), step(step) {
    const std::int64_t reach = 40;
    row_codes = random_int(random, 1, columns * step + 9);
    for (std::int64_t i = 0; i < pair_count; ++i)
      pairs.push_back({random_int(random, 0, reach), {weight(random), weight(random)}});
    if (pair_count > 0) pairs.back().offset = reach;  // reads the last elements
    const std::int64_t size = (rows - 1) * row_codes + (columns - 1) * step + reach + 2;
    for (const std::int8_t code : random_codes(random, size + kDepthwiseSlack)) x.push_back(code);
  }
  static std::int16_t weight(Random& random) {
    return static_cast<std::int16_t>(random_int(random, -128, 127));
  }

  /// The sums of rows [begin, end).
  std::vector<std::int32_t> expected(std::int64_t begin, std::int64_t end) const {
    std::vector<std::int32_t> sums;
    for (std::int64_t row = begin; row < end; ++row) {
      for (std::int64_t column = 0; column < columns; ++column) {
        std::int64_t sum = 0;
        for (const TapPair& pair : pairs)
          for (const std::int64_t i : {0, 1})
            sum += std::int64_t{pair.weights[i]} * x[row * row_codes + column * step + pair.offset + i];
        sums.push_back(static_cast<std::int32_t>(sum));
      }
    }
    return sums;
  }
};

void expect_sums(const Plane& plane, std::int64_t begin, std::int64_t end) {
  for (const auto& entry : under_test(depthwise_sums)) {
    const Unaligned<std::int16_t> x(plane.x, 1);  // AddressSanitizer watches its end
    Guarded<std::int32_t> sums(plane.rows * plane.columns + kDepthwiseSlack, 1);
    entry.run({x.data(), plane.row_codes, plane.step, plane.pairs, plane.columns, sums.data()}, begin, end);
    ASSERT_EQ(
        first_difference(sums.values(begin * plane.columns, end * plane.columns), plane.expected(begin, end)),
        "")
        << entry.name << ": " << plane.rows << " x " << plane.columns << ", step " << plane.step << ", "
        << plane.pairs.size() << " pairs, rows [" << begin << ", " << end << ")";
    ASSERT_TRUE(sums.untouched_outside(begin * plane.columns, end * plane.columns + kDepthwiseSlack))
        << entry.name;
  }
}

TEST_F(Depthwise, SumsEveryNumberOfColumnsFrom1To100) {
  Random random(1);
  for (const std::int64_t step : {1, 2})
    for (std::int64_t columns = 1; columns <= 100; ++columns)
      expect_sums(Plane(random, random_int(random, 1, 4), columns, step, random_int(random, 1, 9)), 0, 1);
}

TEST_F(Depthwise, SumsAnyPartOfTheRows) {
  Random random(2);
  for (const std::int64_t step : {1, 2}) {
    for (const std::int64_t columns : {1, 7, 16, 17, 28, 65}) {
      const Plane plane(random, 6, columns, step, 5);
      for (std::int64_t begin = 0; begin <= 6; ++begin)
        for (std::int64_t end = begin; end <= 6; ++end) {
          if (begin < end) expect_sums(plane, begin, end);
        }
    }
  }
}

TEST_F(Depthwise, ASumOfNothingIsZero) {
  Random random(3);
  expect_sums(Plane(random, 3, 21, 1, 0), 0, 3);
  expect_sums(Plane(random, 3, 21, 2, 0), 0, 3);
}

// -128 * -128 twice is 2^15: it no longer fits 16 bits.
TEST_F(Depthwise, HoldsTheLargestSumsOfManyTaps) {
  Random random(4);
  for (const std::int64_t step : {1, 2}) {
    for (const int weight : {-128, 127}) {
      for (const int code : {-128, 127}) {
        Plane plane(random, 2, 37, step, 3000);
        for (TapPair& pair : plane.pairs)
          pair.weights[0] = pair.weights[1] = static_cast<std::int16_t>(weight);
        plane.x.assign(plane.x.size(), static_cast<std::int16_t>(code));
        expect_sums(plane, 0, 2);
      }
    }
  }
}

TEST_F(Depthwise, WidensEveryNumberOfCodesAndTouchesNoOthers) {
  Random random(5);
  for (std::int64_t n = 1; n <= 70; ++n) {
    const std::int64_t rows = random_int(random, 1, 4), gap = random_int(random, 0, 3);
    const std::vector<std::int8_t> codes = random_codes(random, rows * (n + gap) - gap);
    const Unaligned<std::int8_t> from(codes, 1);  // AddressSanitizer watches its end
    for (const auto& entry : under_test(widen_rows)) {
      Guarded<std::int16_t> to(rows * (n + 1) - 1, 1);
      const std::vector<std::int16_t> between = to.values(0, 1);
      entry.run({from.data(), n + gap, to.data(), n + 1, n, rows});
      std::vector<std::int16_t> expected;
      for (std::int64_t row = 0; row < rows; ++row) {
        if (row > 0) expected.push_back(between[0]);
        expected.insert(expected.end(), codes.begin() + row * (n + gap), codes.begin() + row * (n + gap) + n);
      }
      EXPECT_EQ(first_difference(to.values(), expected), "") << entry.name << ", n = " << n;
      EXPECT_TRUE(to.guards_untouched()) << entry.name << ", n = " << n;
    }
  }
}

}  // namespace
}  // namespace samebits::kernels
