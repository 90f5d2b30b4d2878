// kernels/conv/strided_rows.h against the indices of its contract: every row length, ends of what may be
// read.
#include "kernels/conv/strided_rows.h"

#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {
namespace {

class StridedRows : public KernelTest {};

struct Rows {
  std::int64_t n, rows, stride, from_row, to_row, spare;  // spare: readable codes behind the last one
  std::vector<std::int8_t> codes;

  Rows(Random& random, std::int64_t n, std::int64_t stride, std::int64_t spare)
      : n(n), stride(stride), spare(spare) {
    rows = random_int(random, 1, 5);
    from_row = random_int(random, 0, n * stride + 20);
    to_row = n + random_int(random, 0, 3);
    codes = random_codes(random, (rows - 1) * from_row + (n - 1) * stride + 1 + spare);
  }
};

void expect_copied(const Rows& rows) {
  for (const auto& entry : under_test(copy_strided_rows)) {
    const Unaligned<std::int8_t> from(rows.codes, 1);  // AddressSanitizer watches its end
    const std::int64_t size = (rows.rows - 1) * rows.to_row + rows.n;
    Guarded<std::int8_t> to(size + kStridedRowsSlack, 1);
    entry.run({.from = from.data(),
               .from_end = from.data() + std::ssize(rows.codes),
               .from_row = rows.from_row,
               .stride = rows.stride,
               .to = to.data(),
               .to_row = rows.to_row,
               .n = rows.n,
               .rows = rows.rows});
    for (std::int64_t row = 0; row < rows.rows; ++row) {
      std::vector<std::int8_t> expected;
      for (std::int64_t i = 0; i < rows.n; ++i)
        expected.push_back(rows.codes[row * rows.from_row + i * rows.stride]);
      ASSERT_EQ(first_difference(to.values(row * rows.to_row, row * rows.to_row + rows.n), expected), "")
          << entry.name << ": row " << row << " of " << rows.n << ", stride " << rows.stride;
    }
    ASSERT_TRUE(to.guards_untouched()) << entry.name;
  }
}

TEST_F(StridedRows, TakesEveryStridethCodeOfEachRow) {
  Random random(1);
  for (const std::int64_t stride : {1, 2, 3, 5})
    for (std::int64_t n = 1; n <= 70; ++n)
      for (const std::int64_t spare : {0, 1, 5, 31, 100}) expect_copied(Rows(random, n, stride, spare));
}

TEST_F(StridedRows, CopiesNothingOfNoRows) {
  Random random(2);
  Rows rows(random, 9, 2, 0);
  Guarded<std::int8_t> to(9);
  for (const auto& entry : under_test(copy_strided_rows)) {
    entry.run({rows.codes.data(), rows.codes.data() + std::ssize(rows.codes), 9, 2, to.data(), 9, 9, 0});
    EXPECT_TRUE(to.untouched_outside(0, 0)) << entry.name;
  }
}

}  // namespace
}  // namespace samebits::kernels
