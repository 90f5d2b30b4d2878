// The host's part of int8 products on cublasLt: which operands are taken, that the layouts describe the
// product, and that a shape is looked up once. The product itself needs a GPU.
#include "kernels/matmul/cuda/cublas/gemm_int8_shape.h"

#include <gmock/gmock.h>

#include <numeric>
#include <vector>

#include "kernels/matmul/cuda/cublas/gemm_int8_shape.cpp"
#include "tests/kernels/kernel_test.h"

namespace samebits::kernels::cuda {
namespace {

alignas(16) std::int8_t a_codes[4096];
alignas(16) std::int8_t b_codes[4096];
alignas(16) std::int32_t all_sums[1024];

GemmInt8Operands operands() {
  return {a_codes, b_codes, all_sums, 5, 12, 32, 48, 64, 16};
}

TEST(CudaGemmInt8, PadsToTheFastUnit) {
  EXPECT_EQ(padded_gemm_int8(0), 16);
  EXPECT_EQ(padded_gemm_int8(1), 16);
  EXPECT_EQ(padded_gemm_int8(16), 16);
  EXPECT_EQ(padded_gemm_int8(17), 32);
}

TEST(CudaGemmInt8, SaysWhatItDoesNotTakeAndTheWayOut) {
  EXPECT_EQ(why_not_gemm_int8(operands()), "");
  struct Case {
    std::int64_t GemmInt8Operands::*field;
    std::int64_t value;
    const char* text;
  };
  const Case cases[] = {
      {&GemmInt8Operands::n, 10, "n: expected a positive multiple of 4, got 10; pad with zeros to 16"},
      {&GemmInt8Operands::k, 30, "k: expected a positive multiple of 4, got 30; pad with zeros to 32"},
      {&GemmInt8Operands::k, 0, "k: expected a positive multiple of 4, got 0; pad with zeros to 16"},
      {&GemmInt8Operands::a_stride, 49,
       "a_stride: expected a positive multiple of 4, got 49; pad with zeros to 64"},
      {&GemmInt8Operands::b_stride, 34,
       "b_stride: expected a positive multiple of 4, got 34; pad with zeros to 48"},
      {&GemmInt8Operands::sums_stride, 13,
       "sums_stride: expected a positive multiple of 4, got 13; pad with zeros to 16"},
      {&GemmInt8Operands::a_stride, 28, "a_stride: expected >= 32, the length of a row, got 28"},
      {&GemmInt8Operands::b_stride, 16, "b_stride: expected >= 32, the length of a row, got 16"},
      {&GemmInt8Operands::sums_stride, 8, "sums_stride: expected >= 12, the length of a row, got 8"},
  };
  for (const Case& c : cases) {
    GemmInt8Operands o = operands();
    o.*c.field = c.value;
    EXPECT_EQ(why_not_gemm_int8(o), c.text);
  }
  GemmInt8Operands o = operands();
  o.m = 1;  // any number of rows
  EXPECT_EQ(why_not_gemm_int8(o), "");
  o.b = b_codes + 2;
  EXPECT_EQ(why_not_gemm_int8(o),
            "a, b, sums: expected addresses aligned to 4 bytes; copy the view that is not");
}

TEST(CudaGemmInt8, LayoutsDescribeTheProductInColumnMajorTerms) {
  Random random(1);
  const GemmInt8Operands o = operands();
  const auto a = random_codes(random, o.m * o.a_stride), b = random_codes(random, o.n * o.b_stride);
  const GemmInt8Layouts l = gemm_int8_layouts(o);
  ASSERT_EQ(l.first.rows, l.second.rows);  // the depth, since the first is transposed
  std::vector<std::int64_t> sums(o.m * o.sums_stride, -1);
  for (std::int64_t column = 0; column < l.result.columns; ++column)
    for (std::int64_t row = 0; row < l.result.rows; ++row) {
      std::int64_t& sum = sums.at(column * l.result.stride + row);
      sum = 0;
      for (std::int64_t i = 0; i < l.first.rows; ++i)
        sum += std::int64_t{b.at(row * l.first.stride + i)} * a.at(column * l.second.stride + i);
    }
  for (std::int64_t row = 0; row < o.m; ++row)
    for (std::int64_t column = 0; column < o.sums_stride; ++column) {
      std::int64_t expected = column < o.n ? 0 : -1;
      for (std::int64_t i = 0; column < o.n && i < o.k; ++i)
        expected += a[row * o.a_stride + i] * b[column * o.b_stride + i];
      EXPECT_EQ(sums[row * o.sums_stride + column], expected) << row << ", " << column;
    }
}

TEST(CudaGemmInt8, KnowsAShapeByAllThatAnAlgorithmDependsOn) {
  const GemmInt8Shape shape = gemm_int8_shape(operands());
  EXPECT_EQ(shape.alignment, 16u);
  std::vector<GemmInt8Shape> others;
  for (const auto field :
       {&GemmInt8Operands::m, &GemmInt8Operands::n, &GemmInt8Operands::k, &GemmInt8Operands::a_stride,
        &GemmInt8Operands::b_stride, &GemmInt8Operands::sums_stride}) {
    GemmInt8Operands o = operands();
    o.*field += 4;
    others.push_back(gemm_int8_shape(o));
  }
  GemmInt8Operands o = operands();
  o.a = a_codes + 4;
  others.push_back(gemm_int8_shape(o));
  EXPECT_EQ(others.back().alignment, 4u);
  for (const GemmInt8Shape& other : others) {
    EXPECT_FALSE(other == shape);
    EXPECT_NE(GemmInt8ShapeHash()(other), GemmInt8ShapeHash()(shape));
  }
}

TEST(CudaGemmInt8, ChoosesOnceAShapeAndKeepsNoFailure) {
  ChoiceByShape<int> choices;
  const GemmInt8Shape one = gemm_int8_shape(operands());
  GemmInt8Shape two = one;
  two.m = 77;
  int calls = 0, choice = 0;
  const auto choose = [&](int& chosen) {
    chosen = ++calls;
    return std::string();
  };
  EXPECT_EQ(choices.find(one, choice, [](int&) { return std::string("no algorithm"); }), "no algorithm");
  for (const GemmInt8Shape& shape : {one, two, one, two}) EXPECT_EQ(choices.find(shape, choice, choose), "");
  EXPECT_EQ(calls, 2);
  EXPECT_EQ(choice, 2);
  choices.find(one, choice, choose);
  EXPECT_EQ(choice, 1);
}

}  // namespace
}  // namespace samebits::kernels::cuda
