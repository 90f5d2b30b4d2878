// kernels/float/reduce.h: sums in the one order, means, largest elements, and adaptive pools made of them.
#include "kernels/float/reduce.h"

#include <gmock/gmock.h>

#include "tests/kernels/float/rows.h"

namespace samebits::kernels {
namespace {

class Reduce : public KernelTest {};

template <class OfRow>
void expect_rows(const Kernel<void(const ReduceArgs&, std::int64_t, std::int64_t)>& kernel, bool is_mean,
                 OfRow of_row) {
  Random random(3);
  for (const RowsCase& c : rows_cases(random)) {
    const std::vector<float> expected =
        oracle::for_rows(c.x, c.shape.n, c.shape.inner,
                         [&](const std::vector<float>& row) { return std::vector<float>{of_row(row)}; });
    const Unaligned<float> x(c.x, 1);
    for (const auto& entry : under_test(kernel)) {
      SCOPED_TRACE(testing::Message() << entry.name << ", n " << c.shape.n << ", inner " << c.shape.inner);
      Guarded<float> y(c.rows(), 1);
      for (const auto& [begin, end] : random_pieces(random, c.rows(), 1))
        entry.run({x.data(), y.data(), c.shape, is_mean}, begin, end);
      EXPECT_EQ(first_difference(y.values(), expected), "");
      EXPECT_TRUE(y.guards_untouched());
    }
  }
}

TEST_F(Reduce, SumsAndMeansHaveTheOraclesBitsWhateverThePlaceAndTheSplit) {
  expect_rows(sum_rows, false,
              [](const std::vector<float>& row) { return oracle::one_nan(oracle::row_sum(row)); });
  expect_rows(sum_rows, true, oracle::row_mean);
}

TEST_F(Reduce, LargestElementsHaveTheOraclesBits) {
  expect_rows(max_rows, false, oracle::row_max);
}

TEST_F(Reduce, AnotherOrderWouldShowInTheseTests) {
  Random random(4);
  int ascending_differs = 0, one_chunk_differs = 0;
  for (int round = 0; round < 20; ++round) {
    const std::vector<float> row = random_floats(random, 9000, 1.0f);
    const float sum = oracle::row_sum(row);
    float ascending = 0;
    std::vector<float> lanes(64);
    for (std::size_t i = 0; i < row.size(); ++i) {
      ascending = oracle::add(ascending, row[i]);
      lanes[i % 64] = oracle::add(lanes[i % 64], row[i]);
    }
    ascending_differs += bits(ascending) != bits(sum);
    one_chunk_differs += bits(oracle::row_sum(lanes)) != bits(sum);
  }
  EXPECT_GT(ascending_differs, 10);
  EXPECT_GT(one_chunk_differs, 5);
}

TEST_F(Reduce, TheSumOfNothingIsZeroAndItsMeanNaN) {
  for (const auto& entry : under_test(sum_rows))
    for (const std::int64_t inner : {1, 3}) {
      std::vector<float> y(3, 7.0f);
      entry.run({nullptr, y.data(), {0, inner}}, 0, 3);
      EXPECT_EQ(first_difference(y, {0, 0, 0}), "") << entry.name;
      entry.run({nullptr, y.data(), {0, inner}, true}, 0, 3);
      for (const float value : y) EXPECT_EQ(bits(value), 0x7FC00000u) << entry.name;
    }
}

TEST_F(Reduce, ZerosOfBothSignsAndNaNsHaveOneAnswer) {
  const float nan = std::bit_cast<float>(0xFFC12345u);
  const struct {
    std::vector<float> x;
    float largest;
    std::int64_t place;
  } kCases[] = {
      {{-0.0f, 0.0f}, 0, 0},
      {{-0.0f}, 0, 0},
      {{-1, -0.0f, 0.0f}, 0, 1},
      {{3, nan, 7, nan}, std::bit_cast<float>(0x7FC00000u), 1},
      {{-kInfinity}, -kInfinity, 0},
      {{1, 5, 5, 2}, 5, 1},
      {{kInfinity, nan}, std::bit_cast<float>(0x7FC00000u), 1},
  };
  for (const auto& c : kCases) {
    for (const auto& entry : under_test(max_rows)) {
      float y = 9;
      entry.run({c.x.data(), &y, {std::ssize(c.x)}}, 0, 1);
      EXPECT_EQ(bits(y), bits(c.largest)) << entry.name;
    }
    std::int64_t place = -1;
    argmax_rows(c.x.data(), {std::ssize(c.x)}, &place, 0, 1);
    EXPECT_EQ(place, c.place);
  }
}

TEST_F(Reduce, AdaptivePoolsAreMeansOfTheWindowsOfLibTorch) {
  Random random(5);
  const struct {
    std::int64_t height, width, out_height, out_width;
  } kCases[] = {{7, 7, 1, 1}, {1, 1, 1, 1},   {5, 6, 2, 3},  {7, 9, 3, 4},
                {3, 4, 5, 7}, {70, 90, 1, 1}, {70, 65, 1, 1}};
  for (const auto& c : kCases) {
    const std::vector<float> x = hard_row(random, 3 * c.height * c.width, 2.0f);
    std::vector<float> y(3 * c.out_height * c.out_width), expected;
    adaptive_avg_pool({{c.height, c.width}, {c.out_height, c.out_width}}, x.data(), y.data(), 0, 3);
    for (std::int64_t plane = 0; plane < 3; ++plane)
      for (std::int64_t i = 0; i < c.out_height; ++i)
        for (std::int64_t j = 0; j < c.out_width; ++j) {
          std::vector<float> window;
          for (std::int64_t row = 0; row < c.height; ++row)
            for (std::int64_t column = 0; column < c.width; ++column)
              // floor(i h / o) <= row and row < ceil((i + 1) h / o), without a division.
              if (i * c.height < (row + 1) * c.out_height && row * c.out_height < (i + 1) * c.height &&
                  j * c.width < (column + 1) * c.out_width && column * c.out_width < (j + 1) * c.width)
                window.push_back(x[(plane * c.height + row) * c.width + column]);
          expected.push_back(oracle::row_mean(window));
        }
    EXPECT_EQ(first_difference(y, expected), "") << c.height << " to " << c.out_height;
  }
}

}  // namespace
}  // namespace samebits::kernels
