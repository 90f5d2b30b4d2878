// Rows that are hard: every length around a vector, 64 lanes and a chunk of 4096; NaN, infinities, zeros of
// both signs and denormals among them.
#pragma once

#include "kernels/float/row_sum.h"
#include "tests/function_oracle.h"
#include "tests/kernels/affine_cases.h"

namespace samebits::kernels {

inline constexpr std::int64_t kRowSizes[] = {1,    2,    3,    7,    8,    9,    15,   16,   17,   31,
                                             33,   63,   64,   65,   100,  127,  128,  129,  197,  768,
                                             1000, 4095, 4096, 4097, 4160, 8191, 8192, 8193, 12289};

/// n numbers up to `magnitude`; in half of the rows up to three are special.
inline std::vector<float> hard_row(Random& random, std::int64_t n, float magnitude) {
  static const std::vector<float> kSpecial = special_values();
  std::vector<float> row = random_floats(random, n, magnitude);
  for (std::int64_t count = n == 0 ? 0 : std::max<std::int64_t>(random_int(random, -3, 3), 0); count > 0;
       --count)
    row[random_int(random, 0, n - 1)] = kSpecial[random() % kSpecial.size()];
  return row;
}

/// Rows in [outer][n][inner].
struct RowsCase {
  RowShape shape;
  std::int64_t outer;
  std::vector<float> x;
  std::int64_t rows() const { return outer * shape.inner; }
};
inline std::vector<RowsCase> rows_cases(Random& random) {
  std::vector<RowsCase> cases;
  const auto push = [&](std::int64_t outer, std::int64_t n, std::int64_t inner) {
    std::vector<float> x;
    for (std::int64_t row = 0; row < outer * inner; ++row) {
      const std::vector<float> more = hard_row(random, n, row % 3 == 0 ? 30.0f : 2.0f);
      x.insert(x.end(), more.begin(), more.end());
    }
    cases.push_back({{n, inner}, outer, std::move(x)});
  };
  for (const std::int64_t n : kRowSizes) push(5, n, 1);
  for (const std::int64_t n : {1, 3, 10, 64, 65, 130, 4097})
    for (const std::int64_t inner : {2, 7, 8, 9, 16, 17, 33}) push(n > 1000 ? 1 : 3, n, inner);
  return cases;
}

}  // namespace samebits::kernels
