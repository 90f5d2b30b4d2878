// kernels/float/relu.h: values, mask bits, and what happens at zeros and NaN.
#include "kernels/float/relu.h"

#include <gmock/gmock.h>

#include <bit>
#include <cmath>
#include <vector>

#include "tests/kernels/affine_cases.h"

namespace samebits::kernels {
namespace {

class Relu : public KernelTest {};

bool bit(const std::vector<std::uint8_t>& mask, std::int64_t i) {
  return (mask[i / 8] >> (i % 8) & 1) != 0;
}

TEST_F(Relu, KeepsPositiveValuesAndNaNAndMarksTheRest) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float cases[] = {0.0f, -0.0f, 1.0f, -1.0f, 0x1p-149f, -0x1p-149f, kInfinity, -kInfinity, nan};
  for (const auto& entry : under_test(relu)) {
    for (const float value : cases) {
      for (const std::int64_t n : {1, 8, 19}) {  // only a tail, only whole bytes, both
        SCOPED_TRACE(testing::Message() << entry.name << ", x = " << value << ", n = " << n);
        const std::vector<float> x(n, value);
        std::vector<float> y(n, -7.0f);
        std::vector<std::uint8_t> mask((n + 7) / 8, 0xFF);
        entry.run({x.data(), y.data(), mask.data()}, 0, n);
        for (std::int64_t i = 0; i < n; ++i) {
          EXPECT_EQ(bit(mask, i), value <= 0);
          EXPECT_EQ(std::bit_cast<std::uint32_t>(y[i]),
                    std::bit_cast<std::uint32_t>(value < 0 ? 0.0f : value));
        }
      }
    }
  }
}

TEST_F(Relu, NeedsNoMask) {
  std::vector<float> x(27, -1.0f);
  x[20] = 3.0f;
  std::vector<float> expected(27, 0.0f);
  expected[20] = 3.0f;
  for (const auto& entry : under_test(relu)) {
    std::vector<float> y(27, -7.0f);
    entry.run({x.data(), y.data(), nullptr}, 0, 27);
    EXPECT_EQ(y, expected) << entry.name;
  }
}

TEST_F(Relu, LeavesMaskBitsBehindTheEndZero) {
  for (const auto& entry : under_test(relu)) {
    std::vector<float> x(11, -1.0f);
    std::vector<std::uint8_t> mask = {0, 0xFF};
    entry.run({x.data(), x.data(), mask.data()}, 0, 11);
    EXPECT_EQ(mask, (std::vector<std::uint8_t>{0xFF, 0x07})) << entry.name;
  }
}

TEST_F(Relu, GivesTheSameBitsForAnySplitAtMultiplesOfEight) {
  std::vector<float> x(1000);
  for (std::size_t i = 0; i < x.size(); ++i) x[i] = std::sin(static_cast<float>(i * i));
  for (const auto& entry : under_test(relu)) {
    std::vector<float> whole(1000), pieces(1000);
    std::vector<std::uint8_t> whole_mask(125), pieces_mask(125);
    entry.run({x.data(), whole.data(), whole_mask.data()}, 0, 1000);
    for (const auto& [begin, end] : {std::pair{496, 1000}, std::pair{0, 8}, std::pair{8, 496}})
      entry.run({x.data(), pieces.data(), pieces_mask.data()}, begin, end);
    EXPECT_EQ(pieces, whole) << entry.name;
    EXPECT_EQ(pieces_mask, whole_mask) << entry.name;
  }
}

}  // namespace
}  // namespace samebits::kernels
