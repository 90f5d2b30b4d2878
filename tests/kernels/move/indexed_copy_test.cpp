// kernels/move/: every element size and kind of table, any split, and nothing read or written beside.
#include "kernels/move/indexed_copy.h"

#include <numeric>

#include "kernels/move/gather.h"
#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {
namespace {

/// Offsets of each dimension, and the copy that has them.
template <class T>
struct Copied {
  std::vector<T> x;
  std::vector<std::vector<std::int64_t>> offsets;
  std::int64_t run = 1;
  T fill{};

  std::int64_t count() const {
    std::int64_t count = run;
    for (const auto& each : offsets) count *= std::ssize(each);
    return count;
  }
  /// Element by element, with a counter for each dimension.
  std::vector<T> expected() const {
    std::vector<T> y;
    std::vector<std::size_t> places(offsets.size(), 0);
    for (std::int64_t unit = 0; unit < count() / run; ++unit) {
      std::int64_t base = 0;
      bool is_outside = false;
      for (std::size_t d = 0; d < offsets.size(); ++d) {
        base += offsets[d][places[d]];
        is_outside = is_outside || offsets[d][places[d]] < 0;
      }
      for (std::int64_t i = 0; i < run; ++i) y.push_back(is_outside ? fill : x[base * run + i]);
      for (std::size_t d = offsets.size(); d-- > 0 && ++places[d] == offsets[d].size();) places[d] = 0;
    }
    return y;
  }
  void check() const {
    std::vector<std::int64_t> sizes;
    std::vector<const std::int64_t*> tables;
    for (const auto& each : offsets) {
      sizes.push_back(std::ssize(each));
      tables.push_back(each.data());
    }
    const Unaligned<T> from(x, 1);
    Guarded<T> y(count());
    const IndexedCopy copy{from.data(),         y.data(),     sizeof(T),     run,
                           std::ssize(offsets), sizes.data(), tables.data(), &fill};
    for (std::int64_t row = 0; row < copy.rows(); row += 2)
      indexed_copy(copy, row, std::min(row + 2, copy.rows()));
    EXPECT_EQ(y.values(), expected());
    EXPECT_TRUE(y.guards_untouched());
  }
};

template <class T>
void check_tables() {
  std::vector<T> x(60);
  std::iota(x.begin(), x.end(), T{1});
  using Offsets = std::vector<std::vector<std::int64_t>>;
  for (const std::int64_t run : {1, 2, 3})
    for (const Offsets& offsets : {Offsets{},
                                   {{0, 1, 2, 3}},
                                   {{5, 5, 5}},
                                   {{3, 0, 7}},
                                   {{2}, {1, 2, 3}},
                                   {{0, 5, 10}, {0, 1, 2, 3, 4}},
                                   {{0, 1, 2, 3, 4}, {0, 5, 10}},
                                   {{-1, 0, 1}, {-1, 4, 2, -1}},
                                   {{0, 9}, {-1, 0, 3}, {0, 1, 2}},
                                   {{0, -1}, {0}, {4, 4}},
                                   {{0, 1}, {0, 2}, {0, 4}, {0, 8}}})
      Copied<T>{x, offsets, run, T{99}}.check();
}

TEST(IndexedCopy, TakesEachElementFromWhereItsTablesSay) {
  check_tables<std::uint8_t>();
  check_tables<std::uint32_t>();
  check_tables<std::uint64_t>();
}

TEST(IndexedCopy, CopiesRowsOfAnyStride) {
  const std::uint8_t x[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
  Guarded<std::uint8_t> y(10);
  copy_rows(x, 3, y.data(), 4, 2, 1, 3);
  EXPECT_EQ(y.values(4, 6), (std::vector<std::uint8_t>{4, 5}));
  EXPECT_EQ(y.values(8, 10), (std::vector<std::uint8_t>{7, 8}));
  EXPECT_TRUE(y.untouched_outside(4, 10));
  EXPECT_EQ(y.values(6, 8), std::vector<std::uint8_t>(2, Guarded<std::uint8_t>::kFill));
}

TEST(Gather, TakesTheIndexInThePlaceOfOneDimension) {
  const std::int64_t x_sizes[] = {2, 3, 4}, y_sizes[] = {2, 2, 3};
  std::vector<std::uint64_t> x(24);
  std::iota(x.begin(), x.end(), 0);
  const std::vector<std::int64_t> index = {2, 0, 1, 1, 1, 2, 0, 0, 2, 1, 2, 0};
  for (const std::int64_t axis : {0, 1, 2}) {
    std::vector<std::int64_t> inside = index;
    if (axis == 0)
      for (std::int64_t& each : inside) each %= 2;
    Guarded<std::uint64_t> y(12);
    const Gather args{x.data(), inside.data(), y.data(), 8, 3, axis, x_sizes, y_sizes};
    gather(args, 5, 12);
    gather(args, 0, 5);
    for (std::int64_t i = 0; i < 12; ++i) {
      std::int64_t places[] = {i / 6, i / 3 % 2, i % 3};
      places[axis] = inside[static_cast<std::size_t>(i)];
      EXPECT_EQ(y.values()[i], static_cast<std::uint64_t>((places[0] * 3 + places[1]) * 4 + places[2]))
          << axis;
    }
    EXPECT_TRUE(y.guards_untouched());
  }
}

TEST(Gather, FindsTheFirstPlaceOutside) {
  const std::int64_t index[] = {0, 4, 2, 5, -1};
  EXPECT_EQ(first_outside(index, 5, 0, 5), 3);
  EXPECT_EQ(first_outside(index, 5, 0, 3), 3);
  EXPECT_EQ(first_outside(index, 6, 0, 5), 4);
  EXPECT_EQ(first_outside(index, 0, 0, 0), 0);
}

}  // namespace
}  // namespace samebits::kernels
