// kernels/logic/logic.h and kernels/common/broadcast.h.
#include "kernels/logic/logic.h"

#include <cmath>
#include <limits>

#include "kernels/common/broadcast.h"
#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {
namespace {

using Flags = std::vector<std::uint8_t>;

template <class T>
std::vector<Flags> comparisons(const std::vector<T>& a, const std::vector<T>& b) {
  std::vector<Flags> all;
  for (int kind = 0; kind < 6; ++kind) {
    Flags y(a.size());
    compare(static_cast<CompareKind>(kind), Run<T>{a.data(), 1}, Run<T>{b.data(), 1}, y.data(),
            std::ssize(a));
    all.push_back(y);
  }
  return all;
}

TEST(Logic, ComparesAndOnlyNotEqualHoldsWithANaN) {
  const float nan = std::nanf(""), inf = std::numeric_limits<float>::infinity();
  // eq, ne, lt, le, gt, ge of: less, equal, greater, two zeros, NaN on either side and on both, infinities
  EXPECT_EQ(comparisons<float>({1, 2, 3, 0.0f, nan, 1, nan, -inf}, {2, 2, 2, -0.0f, 1, nan, nan, inf}),
            (std::vector<Flags>{{0, 1, 0, 1, 0, 0, 0, 0},
                                {1, 0, 1, 0, 1, 1, 1, 1},
                                {1, 0, 0, 0, 0, 0, 0, 1},
                                {1, 1, 0, 1, 0, 0, 0, 1},
                                {0, 0, 1, 0, 0, 0, 0, 0},
                                {0, 1, 1, 1, 0, 0, 0, 0}}));
  constexpr std::int64_t kLow = std::numeric_limits<std::int64_t>::min(), kHigh = -(kLow + 1);
  EXPECT_EQ(comparisons<std::int64_t>({kLow, 5, kHigh}, {kHigh, 5, kHigh - 1}),
            (std::vector<Flags>{{0, 1, 0}, {1, 0, 1}, {1, 0, 0}, {1, 1, 0}, {0, 0, 1}, {0, 1, 1}}));
}

TEST(Logic, JoinsAndChoosesAndConverts) {
  const Flags a = {0, 0, 1, 1}, b = {0, 1, 0, 1};
  Flags y(4);
  const std::pair<LogicKind, Flags> kCases[] = {
      {LogicKind::kAnd, {0, 0, 0, 1}}, {LogicKind::kOr, {0, 1, 1, 1}}, {LogicKind::kXor, {0, 1, 1, 0}}};
  for (const auto& [kind, expected] : kCases) {
    logical(kind, {a.data(), 1}, {b.data(), 1}, y.data(), 4);
    EXPECT_EQ(y, expected);
  }
  const std::vector<std::uint32_t> ones = {10, 11, 12, 13}, other = {7};
  std::vector<std::uint32_t> chosen(4);
  choose({a.data(), 1}, {ones.data(), 1}, {other.data(), 0}, chosen.data(), 4);
  EXPECT_EQ(chosen, (std::vector<std::uint32_t>{7, 7, 12, 13}));
  const std::vector<std::int64_t> integers = {-1, 0, (1 << 24) + 1, std::int64_t{1} << 62};
  std::vector<float> floats(4);
  to_float(integers.data(), floats.data(), 4);
  EXPECT_EQ(floats, (std::vector<float>{-1, 0, 1 << 24, 0x1p62f}));  // a tie goes to even
  to_bool(integers.data(), y.data(), 4);
  EXPECT_EQ(y, (Flags{1, 0, 1, 1}));
  const float rare[] = {0.0f, -0.0f, std::nanf(""), 0x1p-149f};
  to_bool(rare, y.data(), 4);
  EXPECT_EQ(y, (Flags{0, 0, 1, 1}));
  std::vector<std::int64_t> wide(4);
  to_int64(a.data(), wide.data(), 4);
  EXPECT_EQ(wide, (std::vector<std::int64_t>{0, 0, 1, 1}));
}

TEST(Logic, IntegersWrap) {
  constexpr std::int64_t kLow = std::numeric_limits<std::int64_t>::min(), kHigh = -(kLow + 1);
  const std::vector<std::int64_t> a = {kHigh, kLow, -3}, b = {1, 2, 5};
  std::vector<std::int64_t> y(3);
  const std::pair<IntegerKind, std::vector<std::int64_t>> kCases[] = {
      {IntegerKind::kAdd, {kLow, kLow + 2, 2}},
      {IntegerKind::kSub, {kHigh - 1, kHigh - 1, -8}},
      {IntegerKind::kMul, {kHigh, 0, -15}}};
  for (const auto& [kind, expected] : kCases) {
    integers(kind, {a.data(), 1}, {b.data(), 1}, y.data(), 3);
    EXPECT_EQ(y, expected);
  }
}

using Sizes = std::vector<std::int64_t>;

/// Where operand `sizes` is at each element of y, by counting.
Sizes places(const Sizes& y, const Sizes& sizes) {
  Sizes result;
  std::int64_t count = 1;
  for (const std::int64_t size : y) count *= size;
  for (std::int64_t i = 0; i < count; ++i) {
    std::int64_t rest = i, stride = 1, place = 0;
    for (std::size_t back = 1; back <= y.size(); ++back) {
      const std::int64_t here = rest % y[y.size() - back];
      rest /= y[y.size() - back];
      if (back > sizes.size()) continue;
      const std::int64_t size = sizes[sizes.size() - back];
      place += (size == 1 ? 0 : here) * stride;
      stride *= size;
    }
    result.push_back(place);
  }
  return result;
}

TEST(Broadcast, VisitsEveryElementOnceWithEachOperandInItsPlace) {
  const Sizes kShapes[][3] = {{{}, {}, {}},
                              {{1}, {1}, {}},
                              {{5}, {5}, {1}},
                              {{2, 3}, {2, 1}, {3}},
                              {{2, 3, 4}, {3, 4}, {2, 1, 4}},
                              {{2, 1, 3, 1, 5}, {1, 1, 3, 1, 1}, {2, 1, 1, 1, 5}},
                              {{2, 2, 2, 2, 2, 2, 2, 2}, {2, 1, 2, 1, 2, 1, 2, 1}, {1, 2, 1, 2, 1, 2, 1, 2}}};
  for (const auto& [y, a, b] : kShapes) {
    const Broadcast<2> broadcast(y, {a, b});
    const Sizes in_a = places(y, a), in_b = places(y, b);
    for (const std::int64_t cut : {std::int64_t{0}, std::ssize(in_a) / 3, std::ssize(in_a)}) {
      Sizes seen_a, seen_b;
      for (const auto& [begin, end] : {std::pair{std::int64_t{0}, cut}, {cut, std::ssize(in_a)}})
        broadcast.for_each_run(begin, end, [&](std::int64_t i, std::int64_t count, const auto& offsets) {
          EXPECT_EQ(i, std::ssize(seen_a));
          for (std::int64_t j = 0; j < count; ++j) {
            seen_a.push_back(offsets[0] + j * broadcast.steps()[0]);
            seen_b.push_back(offsets[1] + j * broadcast.steps()[1]);
          }
        });
      EXPECT_EQ(seen_a, in_a);
      EXPECT_EQ(seen_b, in_b);
    }
  }
}

}  // namespace
}  // namespace samebits::kernels
