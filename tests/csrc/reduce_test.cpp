// csrc/float/reduce.h: the oracle's bits over any dimensions in every memory layout, ATen's gradients.
#include "csrc/float/reduce.h"

#include "tests/csrc/op_test.h"
#include "tests/function_oracle.h"

namespace samebits::ops {
namespace {

class Reduce : public OpTest {};
using Dims = std::vector<std::int64_t>;

/// Of the rows along `dims`, which count from the start and ascend.
Tensor expected_of(const Tensor& x, const Dims& dims, float (*of_row)(const std::vector<float>&)) {
  Dims order, kept;
  for (std::int64_t dim = 0; dim < x.dim(); ++dim)
    if (std::find(dims.begin(), dims.end(), dim) == dims.end())
      order.push_back(dim), kept.push_back(x.size(dim));
  order.insert(order.end(), dims.begin(), dims.end());
  std::int64_t n = 1;
  for (const std::int64_t dim : dims) n *= x.size(dim);
  return tensor_of(
      oracle::for_rows(values_of<float>(x.permute(order)), n, 1,
                       [&](const std::vector<float>& row) { return std::vector<float>{of_row(row)}; }),
      kept);
}
float total(const std::vector<float>& row) {
  return oracle::row_sum(row);
}

const Dims kDims[] = {{0}, {1}, {2}, {3}, {2, 3}, {0, 1}, {1, 2, 3}, {0, 1, 2, 3}, {0, 2}, {1, 3}, {0, 2, 3}};

TEST_F(Reduce, HasTheOraclesBitsOverAnyDimensionsOfEveryLayout) {
  for (const auto& [why, x] : memory_layouts(at::randn({3, 5, 9, 8})))
    for (const Dims& dims : kDims) {
      SCOPED_TRACE(c10::str(why, ", dims ", dims));
      EXPECT_EQ(first_difference(ops::sum(x, dims), expected_of(x, dims, total)), "");
      EXPECT_EQ(first_difference(ops::mean(x, dims), expected_of(x, dims, oracle::row_mean)), "");
      EXPECT_EQ(first_difference(ops::amax(x, dims), expected_of(x, dims, oracle::row_max)), "");
      EXPECT_EQ(ops::mean(x, dims, true).sizes(), at::mean(x, dims, true).sizes());
      expect_same_description(ops::mean(x.to(at::kMeta), dims, true), ops::mean(x, dims, true));
      expect_same_description(ops::amax(x.to(at::kMeta), dims), ops::amax(x, dims));
    }
  const Tensor x = at::randn({3, 5});
  EXPECT_EQ(first_difference(ops::sum(x, std::nullopt), expected_of(x, {0, 1}, total)), "");
  EXPECT_EQ(first_difference(ops::mean(x, Dims{-1}), ops::mean(x, Dims{1})), "");
  EXPECT_EQ(ops::mean(at::tensor(3.0f), std::nullopt).item<float>(), 3);
}

TEST_F(Reduce, ArgmaxIsATens) {
  Tensor x = at::randint(0, 4, {6, 5, 7}, at::kFloat);
  x[2][3][4] = std::numeric_limits<float>::quiet_NaN();
  for (const std::int64_t dim : {0, 1, 2, -1})
    for (const bool keepdim : {false, true})
      EXPECT_EQ(first_difference(ops::argmax(x, dim, keepdim), at::argmax(x, dim, keepdim)), "");
  EXPECT_EQ(first_difference(ops::argmax(x, std::nullopt), at::argmax(x)), "");
  expect_same_description(ops::argmax(x.to(at::kMeta), 1, true), ops::argmax(x, 1, true));
}

TEST_F(Reduce, HasATensGradients) {
  for (const Dims& dims : kDims)
    for (const bool keepdim : {false, true}) {
      SCOPED_TRACE(c10::str("dims ", dims, keepdim ? ", kept" : ""));
      // Equal elements share the gradient of amax.
      const Tensor x = at::randint(0, 5, {3, 5, 4, 6}, at::kFloat);
      const auto gradient = [&](const auto& reduce) {
        const Tensor own = x.clone().requires_grad_();
        const Tensor y = reduce(own);
        return torch::autograd::grad({(y * y).sum()}, {own})[0];
      };
      const auto close = [](const Tensor& a, const Tensor& b) { return at::allclose(a, b, 1e-5, 1e-5); };
      EXPECT_TRUE(close(gradient([&](const Tensor& t) { return ops::sum(t, dims, keepdim); }),
                        gradient([&](const Tensor& t) { return at::sum(t, dims, keepdim); })));
      EXPECT_TRUE(close(gradient([&](const Tensor& t) { return ops::mean(t, dims, keepdim); }),
                        gradient([&](const Tensor& t) { return at::mean(t, dims, keepdim); })));
      EXPECT_TRUE(close(gradient([&](const Tensor& t) { return ops::amax(t, dims, keepdim); }),
                        gradient([&](const Tensor& t) { return at::amax(t, dims, keepdim); })));
    }
}

TEST_F(Reduce, AdaptiveAveragePoolsAreATensUpToTheOrderOfSums) {
  for (const auto& [why, x] : memory_layouts(at::randn({2, 3, 7, 10})))
    for (const Dims& size : {Dims{1, 1}, Dims{3, 4}, Dims{7, 5}, Dims{9, 2}}) {
      SCOPED_TRACE(c10::str(why, ", to ", size));
      const auto run = [&](const auto& pool) {
        const Tensor own = x.detach().clone().requires_grad_(), y = pool(own, size);
        return std::pair(y, torch::autograd::grad({(y * y).sum()}, {own})[0]);
      };
      const auto [y, grad] =
          run([](const Tensor& t, at::IntArrayRef to) { return ops::adaptive_avg_pool2d(t, to); });
      const auto [expected, expected_grad] =
          run([](const Tensor& t, at::IntArrayRef to) { return at::adaptive_avg_pool2d(t, to); });
      EXPECT_TRUE(at::allclose(y, expected, 1e-5, 1e-6));
      EXPECT_TRUE(at::allclose(grad, expected_grad, 1e-5, 1e-6));
      expect_same_description(ops::adaptive_avg_pool2d(x.to(at::kMeta), size), y.detach());
    }
  const Tensor x = at::randn({2, 3, 7, 10});
  EXPECT_EQ(first_difference(ops::adaptive_avg_pool2d(x, {1, 1}), ops::mean(x, Dims{2, 3}, true)), "");
}

TEST_F(Reduce, GivesTheSameBitsWith1And2Threads) {
  const Tensor x = at::randn({70, 60, 40});
  for (const Dims& dims : {Dims{0}, Dims{1}, Dims{2}, Dims{0, 2}}) {
    const auto [one, two] = with_1_and_2_threads([&] { return ops::mean(x, dims); });
    EXPECT_EQ(first_difference(two, one), "");
  }
}

TEST_F(Reduce, SaysWhichArgumentIsWrong) {
  const Tensor x = at::zeros({4, 6});
  expect_errors({
      {"[mean] x: expected float32, got int64; call .to(torch::kFloat)",
       [] { ops::mean(at::zeros({2}, at::kLong), Dims{0}); }},
      {"[sum] dim: expected -2..1, got 2", [&] { ops::sum(x, Dims{2}); }},
      {"[sum] dim: expected each dimension once, got [1, -1]",
       [&] {
         ops::sum(x, Dims{1, -1});
       }},
      {"[mean] dtype: expected float32 or none, got float64; cast the result",
       [&] { ops::mean(x, Dims{1}, false, at::kDouble); }},
      {"[amax] x: expected elements along dimension 0, got shape [0, 6]",
       [&] { ops::amax(x.narrow(0, 0, 0), Dims{0}); }},
      {"[adaptive_avg_pool2d] output_size: expected 2 integers >= 1, got [0, 1]",
       [&] {
         ops::adaptive_avg_pool2d(at::zeros({1, 1, 2, 2}), {0, 1});
       }},
  });
}

}  // namespace
}  // namespace samebits::ops
