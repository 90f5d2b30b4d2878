// kernels/float/arithmetic.h: every operation rounded once, at every length, with one number on either side.
#include "kernels/float/arithmetic.h"

#include <cmath>
#include <limits>

#include "tests/kernels/affine_cases.h"

namespace samebits::kernels {
namespace {

class ArithmeticKernel : public KernelTest {};

constexpr Arithmetic kKinds[] = {Arithmetic::kAdd, Arithmetic::kSub,     Arithmetic::kMul,
                                 Arithmetic::kDiv, Arithmetic::kMinimum, Arithmetic::kMaximum};
const float kNaN = std::nanf("");

/// In double, where +, - and * of floats are exact or round far below a float's last place, and rounded once.
float expected(Arithmetic kind, float a, float b) {
  const double wide_a = a, wide_b = b;
  switch (kind) {
    case Arithmetic::kAdd:
      return static_cast<float>(wide_a + wide_b);
    case Arithmetic::kSub:
      return static_cast<float>(wide_a - wide_b);
    case Arithmetic::kMul:
      return static_cast<float>(wide_a * wide_b);
    case Arithmetic::kDiv:
      return static_cast<float>(wide_a / wide_b);
    case Arithmetic::kMinimum:
      return a <= b ? a : b;
    case Arithmetic::kMaximum:
      return a >= b ? a : b;
  }
  return kNaN;
}

std::vector<float> values(std::int64_t n, std::uint64_t seed) {
  const float rare[] = {0.0f, -0.0f, 0x1p-149f, -0x1p-126f, 3e38f, -3e38f, 1.0f / 3};
  Random random(seed);
  std::vector<float> result = random_floats(random, n, 1e3f);
  for (float& value : result)
    if (random_int(random, 0, 9) == 0) value = rare[random_int(random, 0, 6)];
  return result;
}

bool is_same(float got, float want) {
  return std::isnan(want) ? std::isnan(got) : bits(got) == bits(want);
}

TEST_F(ArithmeticKernel, RoundsEachResultOnce) {
  for (const auto& entry : under_test(arithmetic))
    for (const Arithmetic kind : kKinds)
      for (const std::int64_t n : kCounts)
        for (const auto& [a_step, b_step] : {std::pair{1, 1}, {0, 1}, {1, 0}, {0, 0}}) {
          SCOPED_TRACE(testing::Message() << entry.name << ", kind " << static_cast<int>(kind) << ", n " << n
                                          << ", steps " << a_step << b_step);
          const std::vector<float> a = values(n + 1, 1), b = values(n + 1, 2);
          const Unaligned<float> from_a(a, 1), from_b(b, 3);
          Guarded<float> y(n, 1);
          entry.run({kind, from_a.data(), from_b.data(), a_step, b_step, y.data()}, 0, n);
          for (std::int64_t i = 0; i < n; ++i)
            ASSERT_TRUE(is_same(y.values()[i], expected(kind, a[i * a_step], b[i * b_step])))
                << i << ": " << a[i * a_step] << " and " << b[i * b_step] << " give " << y.values()[i];
          EXPECT_TRUE(y.guards_untouched());
        }
}

TEST_F(ArithmeticKernel, KeepsTheFirstOfEqualZerosAndMakesOneNaN) {
  const float cases[][3] = {{0.0f, -0.0f, 0.0f}, {-0.0f, 0.0f, -0.0f},    {kNaN, 1, kNaN},
                            {1, kNaN, kNaN},     {kNaN, kNaN, kNaN},      {kInfinity, 1, 0},
                            {-kInfinity, -1, 0}, {-kNaN, kInfinity, kNaN}};
  for (const auto& entry : under_test(arithmetic))
    for (const auto& [a, b, y] : cases)
      for (const Arithmetic kind : {Arithmetic::kMinimum, Arithmetic::kMaximum})
        for (const std::int64_t n : {1, 40}) {
          const std::vector<float> x(n, a), z(n, b);
          std::vector<float> got(n);
          entry.run({kind, x.data(), z.data(), 1, 1, got.data()}, 0, n);
          const float want =
              std::isinf(a) && !std::isnan(b) ? ((kind == Arithmetic::kMaximum) == (a > 0) ? a : b) : y;
          for (const float value : got)
            EXPECT_EQ(bits(value), std::isnan(want) ? 0x7FC00000u : bits(want))
                << entry.name << ": " << a << " and " << b;
        }
}

TEST_F(ArithmeticKernel, MayWriteOverEitherOperandAndOnlyItsOwnRange) {
  for (const auto& entry : under_test(arithmetic)) {
    const std::vector<float> a = values(100, 3), b = values(100, 4);
    std::vector<float> over_a = a, over_b = b;
    entry.run({Arithmetic::kSub, over_a.data(), b.data(), 1, 1, over_a.data()}, 13, 77);
    entry.run({Arithmetic::kSub, a.data(), over_b.data(), 1, 1, over_b.data()}, 13, 77);
    for (std::int64_t i = 0; i < 100; ++i) {
      const bool is_in = i >= 13 && i < 77;
      EXPECT_EQ(bits(over_a[i]), bits(is_in ? expected(Arithmetic::kSub, a[i], b[i]) : a[i])) << entry.name;
      EXPECT_EQ(bits(over_b[i]), bits(is_in ? expected(Arithmetic::kSub, a[i], b[i]) : b[i])) << entry.name;
    }
  }
}

TEST_F(ArithmeticKernel, ChangesTheSignBitOfEveryFloat) {
  std::vector<float> x = values(77, 5);
  x[3] = kNaN;
  x[4] = -kInfinity;
  std::vector<float> negated(77), magnitude(77);
  negate(x.data(), negated.data(), 0, 77);
  absolute(x.data(), magnitude.data(), 0, 77);
  for (std::size_t i = 0; i < x.size(); ++i) {
    EXPECT_EQ(bits(negated[i]), bits(x[i]) ^ 0x80000000u);
    EXPECT_EQ(bits(magnitude[i]), bits(x[i]) & 0x7FFFFFFFu);
  }
}

}  // namespace
}  // namespace samebits::kernels
