// kernels/matmul/gemm_bf16.h: sums that float32 holds to the bit, other sums within the derived bound, and
// what is written where.
#include "kernels/matmul/gemm_bf16.h"

#include <cmath>
#include <functional>
#include <limits>

#include "kernels/matmul/pack_bf16.h"
#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {
namespace {

class GemmBf16 : public KernelTest {};

/// Elements of any type at an address that gemm_bf16 accepts.
template <class T>
class Aligned {
 public:
  explicit Aligned(std::int64_t n) : storage_(n + 64 / sizeof(T), T{}), n_(n) {}
  explicit Aligned(const std::vector<T>& values) : Aligned(std::ssize(values)) {
    std::copy(values.begin(), values.end(), data());
  }
  T* data() {
    const auto address = reinterpret_cast<std::uintptr_t>(storage_.data());
    return storage_.data() + (64 - address % 64) % 64 / sizeof(T);
  }
  std::vector<T> values() { return {data(), data() + n_}; }

 private:
  std::vector<T> storage_;
  std::int64_t n_;
};

/// Both operands as reals, [rows][depth] and [depth][columns], and packed as the layouts say.
struct Product {
  std::int64_t rows, columns, depth;
  std::vector<float> a, b;
  Aligned<Bf16> packed_a, packed_b;

  Product(std::int64_t rows, std::int64_t columns, std::int64_t depth, std::vector<float> a_values,
          std::vector<float> b_values)
      : rows(rows),
        columns(columns),
        depth(depth),
        a(std::move(a_values)),
        b(std::move(b_values)),
        packed_a(oracle::pack_bf16_a(a, rows, depth)),
        packed_b(oracle::pack_bf16_b(b, depth, columns)) {}
  GemmBf16Args args(float* output, std::int64_t stride) {
    return {.a = packed_a.data(),
            .b = packed_b.data(),
            .rows = rows,
            .columns = columns,
            .depth = depth,
            .output = output,
            .output_stride = stride};
  }
  double exact(std::int64_t row, std::int64_t column) const {
    double sum = 0;
    for (std::int64_t d = 0; d < depth; ++d) sum += double{a[row * depth + d]} * b[d * columns + column];
    return sum;
  }
  double sum_of_magnitudes(std::int64_t row, std::int64_t column) const {
    double sum = 0;
    for (std::int64_t d = 0; d < depth; ++d)
      sum += std::fabs(double{a[row * depth + d]} * b[d * columns + column]);
    return sum;
  }
};

std::vector<float> random_integers(Random& random, std::int64_t n, std::int64_t magnitude) {
  std::vector<float> values(n);
  for (float& value : values) value = static_cast<float>(random_int(random, -magnitude, magnitude));
  return values;
}

/// Products of at most 16 * 255: every partial sum of 4000 of them is an integer below 2^24.
Product random_integer_product(Random& random, std::int64_t rows, std::int64_t columns, std::int64_t depth) {
  return {rows, columns, depth, random_integers(random, rows * depth, 16),
          random_integers(random, depth * columns, 255)};
}

/// The epilogue written a second time: fl(sum * scale), the mask, fl(before + value).
struct Epilogue {
  float scale = 1.0f;
  std::vector<std::uint8_t> clip_mask;  // empty: none
  bool accumulate = false;

  float output(float sum, std::int64_t i, float before) const {
    const bool clipped = !clip_mask.empty() && (clip_mask[i / 8] >> (i % 8) & 1) != 0;
    const float value = clipped ? 0.0f : oracle::multiply(sum, scale);
    return accumulate ? oracle::add(before, value) : value;
  }
  void set(GemmBf16Args& args) const {
    args.scale = scale;
    args.clip_mask = clip_mask.empty() ? nullptr : clip_mask.data();
    args.accumulate = accumulate;
  }
};

std::vector<std::uint8_t> random_bytes(Random& random, std::int64_t n) {
  std::vector<std::uint8_t> bytes(n);
  for (auto& byte : bytes) byte = static_cast<std::uint8_t>(random());
  return bytes;
}

constexpr float kBefore = 3.25f;

/// Runs each implementation over the whole output and expects the bits of exact sums, with `gap` elements
/// untouched between rows.
void expect_exact(Product& product, const Epilogue& epilogue, std::int64_t gap, std::int64_t offset) {
  const std::int64_t stride = product.columns + gap;
  for (const auto& entry : under_test(gemm_bf16)) {
    Guarded<float> output(product.rows * stride, offset);
    std::vector<float> expected = output.values();
    for (std::int64_t row = 0; row < product.rows; ++row) {
      for (std::int64_t column = 0; column < product.columns; ++column) {
        output.data()[row * stride + column] = kBefore;
        expected[row * stride + column] = epilogue.output(static_cast<float>(product.exact(row, column)),
                                                          row * product.columns + column, kBefore);
      }
    }
    GemmBf16Args args = product.args(output.data(), stride);
    epilogue.set(args);
    entry.run(args, {0, product.rows, 0, product.columns});
    ASSERT_EQ(first_difference(output.values(), expected), "")
        << entry.name << ": " << product.rows << " x " << product.columns << ", depth " << product.depth;
    ASSERT_TRUE(output.guards_untouched()) << entry.name;
  }
}

TEST_F(GemmBf16, IsExactForEveryNumberOfRowsAndColumnsUpTo70) {
  Random random(1);
  for (std::int64_t rows = 1; rows <= 70; rows += rows < 34 ? 1 : 9)
    for (std::int64_t columns = 1; columns <= 70; columns += columns < 34 ? 3 : 7) {
      Product product = random_integer_product(random, rows, columns, 5);
      expect_exact(product, {}, rows % 3, columns % 2);
    }
}

TEST_F(GemmBf16, IsExactForEveryDepthUpTo70AndBeyondOneChunk) {
  Random random(2);
  for (std::int64_t depth = 1; depth <= 70; ++depth) {
    Product product = random_integer_product(random, 9, 37, depth);
    expect_exact(product, {}, 0, 0);
  }
  for (const std::int64_t depth : {511, 512, 513, 545, 1024, 1100, 3073}) {
    Product product = random_integer_product(random, 35, 49, depth);
    expect_exact(product, {}, 0, 0);
  }
}

TEST_F(GemmBf16, IsExactBeyondOneBlockOfRowsAndColumns) {
  Random random(3);
  for (const auto& [rows, columns, depth] :
       {std::tuple{257, 33, 40}, {33, 257, 40}, {290, 300, 600}, {40, 1030, 33}}) {
    Product product = random_integer_product(random, rows, columns, depth);
    expect_exact(product, {.clip_mask = random_bytes(random, (rows * columns + 7) / 8)}, 0, 0);
  }
}

TEST_F(GemmBf16, ASumOfNothingIsZero) {
  Product product(5, 40, 0, {}, {});
  expect_exact(product, {}, 1, 0);
  expect_exact(product, {.accumulate = true}, 1, 0);
}

TEST_F(GemmBf16, ScalesMasksAndAccumulatesInThisOrder) {
  Random random(4);
  for (const std::int64_t columns : {1, 7, 16, 31, 32, 40, 64, 96}) {
    for (const bool masked : {false, true}) {
      for (const bool accumulate : {false, true}) {
        Product product = random_integer_product(random, 37, columns, 24);
        Epilogue epilogue{.scale = 0.0123f, .accumulate = accumulate};
        if (masked) epilogue.clip_mask = random_bytes(random, (37 * columns + 7) / 8);
        SCOPED_TRACE(testing::Message() << "masked " << masked << ", accumulate " << accumulate);
        expect_exact(product, epilogue, 3, 1);
      }
    }
  }
}

TEST_F(GemmBf16, AClippedElementIsZeroEvenWhereTheSumIsNotFinite) {
  const float infinity = std::numeric_limits<float>::infinity();
  Product product(33, 40, 2, std::vector<float>(66, infinity), std::vector<float>(80, 1.0f));
  for (const auto& entry : under_test(gemm_bf16)) {
    std::vector<float> output(33 * 40);
    const std::vector<std::uint8_t> mask(33 * 5, 0x55);
    GemmBf16Args args = product.args(output.data(), 40);
    args.clip_mask = mask.data();
    entry.run(args, {0, 33, 0, 40});
    for (std::size_t i = 0; i < output.size(); ++i)
      ASSERT_EQ(output[i], i % 2 == 0 ? 0.0f : infinity) << entry.name << ", element " << i;
  }
}

/// The sums of one row by one column, repeated over enough of both for every tile, on each implementation.
void expect_sums(const std::vector<float>& a, const std::vector<float>& b,
                 const std::function<bool(float)>& is_expected, const char* why) {
  const std::int64_t rows = 17, columns = 67, depth = std::ssize(a);
  std::vector<float> a_rows, b_columns(depth * columns);
  for (std::int64_t row = 0; row < rows; ++row) a_rows.insert(a_rows.end(), a.begin(), a.end());
  for (std::int64_t i = 0; i < depth * columns; ++i) b_columns[i] = b[i / columns];
  Product product(rows, columns, depth, a_rows, b_columns);
  for (const auto& entry : under_test(gemm_bf16)) {
    std::vector<float> output(rows * columns);
    entry.run(product.args(output.data(), columns), {0, rows, 0, columns});
    for (std::int64_t i = 0; i < rows * columns; ++i)
      ASSERT_TRUE(is_expected(output[i])) << entry.name << ", " << why << ": " << output[i] << " at " << i;
  }
}

TEST_F(GemmBf16, CarriesNaNsAndInfinitiesToTheirSums) {
  const float infinity = std::numeric_limits<float>::infinity(),
              not_a_number = std::numeric_limits<float>::quiet_NaN(), largest = 0x1.FEp127f;
  const auto is_nan = [](float sum) { return std::isnan(sum); };
  expect_sums({1, 2, not_a_number, 4}, {1, 1, 0, 1}, is_nan, "NaN times 0");
  expect_sums({1, infinity, 3}, {1, 0, 1}, is_nan, "infinity times 0");
  expect_sums({infinity, 1, 1, infinity}, {1, 1, 1, -1}, is_nan, "infinities of both signs");
  expect_sums(
      {1, -infinity, 3}, {1, 2, 1}, [&](float sum) { return sum == -infinity; }, "-infinity");
  expect_sums(
      {largest, 1, largest}, {2, 1, 1}, [&](float sum) { return sum == infinity; }, "overflow");
}

TEST_F(GemmBf16, RoundsATieOfASumToEven) {
  // The products stand in two pairs, and whatever the order one addition rounds.
  expect_sums(
      {4096, 0, 1}, {4096, 0, 1}, [](float sum) { return sum == 0x1p24f; }, "2^24 + 1");
  expect_sums(
      {4096, 0, 1.5f}, {4096, 0, 2}, [](float sum) { return sum == 0x1p24f + 4; }, "2^24 + 3");
  expect_sums(
      {-4096, 0, -1}, {4096, 0, 1}, [](float sum) { return sum == -0x1p24f; }, "-2^24 - 1");
}

TEST_F(GemmBf16, ADenormalOperandOrSumIsItselfOrZero) {
  const auto is_one_of = [](float exact) {
    return [exact](float sum) { return sum == exact || sum == 0.0f; };
  };
  expect_sums({0x1p-130f}, {0x1p3f}, is_one_of(0x1p-127f), "a denormal operand");
  expect_sums({0x1p-70f}, {0x1p-60f}, is_one_of(0x1p-130f), "a denormal product");
  expect_sums({0x1p-130f}, {0x1p20f}, is_one_of(0x1p-110f), "a denormal operand of a normal product");
  expect_sums({0x1.8p-126f, 0, -0x1p-126f}, {1, 0, 1}, is_one_of(0x1p-127f), "a denormal difference");
}

// A sum of n products in any order with any fusing: each product and each addition is off by at most one
// rounding, 2^-24 (the instructions that round twice as coarsely are not used), hence (n + 1) roundings of
// the sum of magnitudes, and one more for the scale. Denormal products count as at most 2^-126 each.
TEST_F(GemmBf16, StaysWithinTheRoundingsOfItsSum) {
  Random random(5);
  for (const std::int64_t depth : {1, 31, 300, 2000}) {
    const std::int64_t rows = 33, columns = 50;
    std::vector<float> a = random_floats(random, rows * depth, 1e-3f),
                       b = random_floats(random, depth * columns, 2.0f);
    for (float& value : a) value = oracle::to_bf16(value);
    for (float& value : b) value = oracle::to_bf16(value);
    Product product(rows, columns, depth, a, b);
    for (const auto& entry : under_test(gemm_bf16)) {
      std::vector<float> output(rows * columns);
      GemmBf16Args args = product.args(output.data(), columns);
      args.scale = 0.37f;
      entry.run(args, {0, rows, 0, columns});
      for (std::int64_t i = 0; i < rows * columns; ++i) {
        const double roundings = static_cast<double>(depth + 2) * 0x1.01p-24;
        const double bound = 0.37 * roundings * product.sum_of_magnitudes(i / columns, i % columns) + 1e-30;
        ASSERT_NEAR(output[i], double{0.37f} * product.exact(i / columns, i % columns), bound)
            << entry.name << ", depth " << depth << ", element " << i;
      }
    }
  }
}

TEST_F(GemmBf16, AnyCutIntoRegionsGivesTheSameBits) {
  Random random(6);
  const std::int64_t rows = 300, columns = 333, depth = 700;
  std::vector<float> a = random_floats(random, rows * depth, 1.0f),
                     b = random_floats(random, depth * columns, 1.0f);
  for (float& value : a) value = oracle::to_bf16(value);
  for (float& value : b) value = oracle::to_bf16(value);
  Product product(rows, columns, depth, a, b);
  for (const auto& entry : under_test(gemm_bf16)) {
    std::vector<float> whole(rows * columns), pieces(rows * columns, 7.0f);
    const std::vector<std::uint8_t> mask = random_bytes(random, (rows * columns + 7) / 8);
    GemmBf16Args args = product.args(whole.data(), columns);
    args.clip_mask = mask.data();
    entry.run(args, {0, rows, 0, columns});
    args.output = pieces.data();
    for (const auto& [row, row_end] : random_pieces(random, rows, kBf16Block))
      for (const auto& [column, column_end] : random_pieces(random, columns, kBf16Block))
        entry.run(args, {row, row_end, column, column_end});
    EXPECT_EQ(first_difference(pieces, whole), "") << entry.name;
  }
}

TEST_F(GemmBf16, ARegionIsAllThatIsWritten) {
  Random random(7);
  Product product = random_integer_product(random, 100, 100, 40);
  for (const auto& entry : under_test(gemm_bf16)) {
    for (const GemmRegion& region :
         {GemmRegion{32, 37, 64, 67}, {64, 100, 0, 100}, {0, 64, 32, 96}, {0, 0, 0, 9}}) {
      Guarded<float> output(100 * 100);
      std::vector<float> expected = output.values();
      for (std::int64_t row = region.row_begin; row < region.row_end; ++row)
        for (std::int64_t column = region.column_begin; column < region.column_end; ++column)
          expected[row * 100 + column] = static_cast<float>(product.exact(row, column));
      entry.run(product.args(output.data(), 100), region);
      EXPECT_EQ(first_difference(output.values(), expected), "") << entry.name;
      EXPECT_TRUE(output.guards_untouched()) << entry.name;
    }
  }
}

TEST_F(GemmBf16, PartsOfAnOutputAreDisjointAndCoverIt) {
  for (const auto& [rows, columns] : {std::pair{1, 1}, {0, 5}, {33, 32}, {1024, 768}, {10, 3072}, {100, 4}}) {
    for (const std::int64_t parts : {1, 2, 3, 7, 64}) {
      std::vector<int> written(rows * columns);
      for (std::int64_t part = 0; part < parts; ++part) {
        const GemmRegion region = gemm_bf16_region(rows, columns, part, parts);
        EXPECT_EQ(region.row_begin % kBf16Block == 0 || region.row_begin == region.row_end, true);
        EXPECT_EQ(region.column_begin % kBf16Block == 0 || region.column_begin == region.column_end, true);
        for (std::int64_t row = region.row_begin; row < region.row_end; ++row)
          for (std::int64_t column = region.column_begin; column < region.column_end; ++column)
            ++written[row * columns + column];
      }
      EXPECT_TRUE(std::all_of(written.begin(), written.end(), [](int times) { return times == 1; }))
          << rows << " x " << columns << " in " << parts;
    }
  }
}

TEST_F(GemmBf16, TheDispatchedKernelGivesTheSums) {
  Random random(8);
  Product product = random_integer_product(random, 40, 50, 60);
  std::vector<float> output(40 * 50);
  gemm_bf16(product.args(output.data(), 50), {0, 40, 0, 50});
  for (std::int64_t i = 0; i < 40 * 50; ++i) ASSERT_EQ(output[i], product.exact(i / 50, i % 50));
}

// The whole path of mode bf16 on integers that every step holds exactly.
TEST_F(GemmBf16, MakesBothGradientsOfALinearLayerFromPackedOperands) {
  Random random(15);
  const std::int64_t m = 70, n = 45, k = 50;
  const std::int32_t zero_point = -3;
  const std::vector<float> g = random_integers(random, m * n, 8);
  const std::vector<std::int8_t> weight = random_codes(random, n * k), x = random_codes(random, m * k);
  const std::vector<float> scale(n, 0.5f);
  Aligned<Bf16> g_for_x(packed_bf16_size(m, n)), g_for_weight(packed_bf16_size(n, m));
  Aligned<Bf16> weight_b(packed_bf16_size(k, n)), x_b(packed_bf16_size(k, m));
  pack_gradient({g.data(), m, n, scale.data(), n, g_for_x.data(), g_for_weight.data(), nullptr}, 0, m);
  pack_codes({.codes = weight.data(), .depth = n, .columns = k, .packed = weight_b.data()}, 0, n);
  pack_codes({.codes = x.data(), .depth = m, .columns = k, .zero_point = zero_point, .packed = x_b.data()}, 0,
             m);
  std::vector<float> grad_x(m * k), grad_weight(n * k);
  gemm_bf16({.a = g_for_x.data(),
             .b = weight_b.data(),
             .rows = m,
             .columns = k,
             .depth = n,
             .output = grad_x.data(),
             .output_stride = k},
            {0, m, 0, k});
  gemm_bf16({.a = g_for_weight.data(),
             .b = x_b.data(),
             .rows = n,
             .columns = k,
             .depth = m,
             .scale = 0.25f,
             .output = grad_weight.data(),
             .output_stride = k},
            {0, n, 0, k});
  for (std::int64_t i = 0; i < m * k; ++i) {
    double sum = 0;
    for (std::int64_t c = 0; c < n; ++c) sum += double{g[i / k * n + c]} * 0.5 * weight[c * k + i % k];
    ASSERT_EQ(grad_x[i], sum) << i;
  }
  for (std::int64_t i = 0; i < n * k; ++i) {
    double sum = 0;
    for (std::int64_t row = 0; row < m; ++row)
      sum += double{g[row * n + i / k]} * (x[row * k + i % k] - zero_point);
    ASSERT_EQ(grad_weight[i], 0.25 * sum) << i;
  }
}

}  // namespace
}  // namespace samebits::kernels
