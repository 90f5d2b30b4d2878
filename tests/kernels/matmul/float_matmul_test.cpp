// kernels/matmul/float_matmul.h: any strides, any b for each a, any cut of the work; the sums are those of
// float_gemm_test.cpp.
#include "kernels/matmul/float_matmul.h"

#include "kernels/common/aligned_vector.h"
#include "tests/float_oracle.h"
#include "tests/kernels/kernel_test.h"

namespace samebits::kernels {
namespace {

class FloatMatmulKernel : public KernelTest {};

struct Case {
  const char* why;
  std::int64_t m, n, k;
  bool is_transposed;  // b
  std::vector<std::int64_t> b_of;
};

TEST_F(FloatMatmulKernel, MultipliesEachPairWhateverTheCut) {
  const Case kCases[] = {
      {"one", 1, 1, 1, false, {0}},
      {"a b each", 5, 33, 20, false, {0, 1, 2}},
      {"transposed", 5, 33, 20, true, {0, 1, 2}},
      {"one b for all", 7, 16, 9, false, {0, 0, 0, 0}},
      {"in another order", 3, 17, 600, true, {1, 0, 1}},
  };
  Random random(1);
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.why);
    const auto products = std::ssize(c.b_of);
    const std::int64_t count = *std::max_element(c.b_of.begin(), c.b_of.end()) + 1,
                       row = c.k + 3;  // a has a rest
    const std::vector<float> a = random_floats(random, products * c.m * row, 2),
                             b = random_floats(random, count * c.k * c.n, 2);
    std::vector<std::int64_t> a_offsets, b_offsets;
    for (std::int64_t i = 0; i < products; ++i) a_offsets.push_back((products - 1 - i) * c.m * row);
    for (std::int64_t i = 0; i < count; ++i) b_offsets.push_back(i * c.k * c.n);
    AlignedVector<float> packed(static_cast<std::size_t>(count * packed_float_size(c.n, c.k)));
    Guarded<float> y(products * c.m * c.n);
    const FloatMatmul args{.products = products,
                           .m = c.m,
                           .n = c.n,
                           .k = c.k,
                           .a = a.data(),
                           .a_row_stride = row,
                           .a_offsets = a_offsets.data(),
                           .b = b.data(),
                           .b_row_stride = c.is_transposed ? 1 : c.n,
                           .b_column_stride = c.is_transposed ? c.k : 1,
                           .b_offsets = b_offsets.data(),
                           .b_count = count,
                           .b_of = c.b_of.data(),
                           .packed = packed.data(),
                           .y = y.data()};
    for (std::int64_t item = args.pack_items(); item-- > 0;) pack_float_matrices(args, item, item + 1);
    constexpr std::int64_t kParts = 3;
    for (std::int64_t item = 0; item < products * kParts; item += 2)
      multiply_float_matrices(args, kParts, item, std::min(item + 2, products * kParts));
    for (std::int64_t i = 0; i < products; ++i)
      for (std::int64_t r = 0; r < c.m; ++r)
        for (std::int64_t column = 0; column < c.n; ++column) {
          float t = 0;
          for (std::int64_t p = 0; p < c.k; ++p)
            t = oracle::fma(a[a_offsets[i] + r * row + p],
                            b[b_offsets[c.b_of[i]] + p * args.b_row_stride + column * args.b_column_stride],
                            t);
          ASSERT_EQ(bits(y.values()[(i * c.m + r) * c.n + column]), bits(t))
              << i << ", " << r << ", " << column;
        }
    EXPECT_TRUE(y.guards_untouched());
  }
}

}  // namespace
}  // namespace samebits::kernels
