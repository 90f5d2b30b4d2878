// csrc/matmul/matmul.h: one chain of sums an output whatever the shapes, layouts and threads; at::matmul's
// shapes and gradients.
#include "csrc/matmul/matmul.h"

#include "tests/csrc/op_test.h"
#include "tests/float_oracle.h"

namespace samebits::ops {
namespace {

class Matmul : public OpTest {};

using Sizes = std::vector<std::int64_t>;
struct Shapes {
  const char* why;
  Sizes a, b;
};
const std::vector<Shapes> kShapes = {{"matrices", {7, 40}, {40, 33}},
                                     {"one number", {1, 1}, {1, 1}},
                                     {"rows of a batch", {3, 5, 20}, {20, 6}},
                                     {"a matrix and a batch", {5, 20}, {3, 20, 6}},
                                     {"heads", {2, 4, 9, 16}, {2, 4, 16, 9}},
                                     {"batches that broadcast", {2, 1, 3, 8}, {4, 8, 5}},
                                     {"more dimensions on the right", {3, 8}, {2, 2, 8, 5}},
                                     {"two vectors", {50}, {50}},
                                     {"a vector and a matrix", {8}, {8, 5}},
                                     {"a vector and a batch", {8}, {3, 8, 5}},
                                     {"a matrix and a vector", {5, 8}, {8}},
                                     {"a batch and a vector", {2, 3, 5, 8}, {8}},
                                     {"no rows", {0, 8}, {8, 5}},
                                     {"no columns", {4, 8}, {8, 0}},
                                     {"no batch", {0, 3, 8}, {0, 8, 5}},
                                     {"no depth", {4, 0}, {0, 5}},
                                     {"deep", {3, 1100}, {1100, 20}}};

/// Every output by a chain of the oracle's fused multiply-adds; shapes are those that ATen expands to.
Tensor expected(const Tensor& a_any, const Tensor& b_any) {
  const Tensor a = (a_any.dim() == 1 ? a_any.unsqueeze(0) : a_any).contiguous();
  const Tensor b = (b_any.dim() == 1 ? b_any.unsqueeze(1) : b_any).contiguous();
  Tensor y = at::zeros_like(at::matmul(a, b));
  if (y.numel() == 0) return at::zeros_like(at::matmul(a_any, b_any));
  Sizes batch = y.sizes().vec();
  batch.resize(batch.size() - 2);
  const std::int64_t count = y.numel() / (y.size(-2) * y.size(-1));
  const auto matrices = [&](const Tensor& x) {
    Sizes sizes = batch;
    sizes.insert(sizes.end(), {x.size(-2), x.size(-1)});
    return x.expand(sizes).reshape({count, x.size(-2), x.size(-1)}).contiguous();
  };
  const Tensor all_a = matrices(a), all_b = matrices(b), all_y = y.view({-1, y.size(-2), y.size(-1)});
  for (std::int64_t i = 0; i < all_y.size(0); ++i) {
    const std::vector<float> rows = values_of<float>(all_a[i]), columns = values_of<float>(all_b[i].t());
    if (a.size(-1) == 0) continue;
    all_y[i].copy_(
        tensor_of(oracle::float_linear(rows, columns, b.size(-1), a.size(-1), {}), all_y[i].sizes()));
  }
  if (b_any.dim() == 1) y = y.squeeze(-1);
  return a_any.dim() == 1 ? y.squeeze(b_any.dim() == 1 ? -1 : -2) : y;
}

TEST_F(Matmul, GivesTheOraclesBitsAndTheShapesOfAtMatmul) {
  for (const Shapes& shapes : kShapes) {
    SCOPED_TRACE(shapes.why);
    const Tensor a = at::randn(shapes.a), b = at::randn(shapes.b), y = ops::matmul(a, b);
    EXPECT_EQ(y.sizes(), at::matmul(a, b).sizes());
    EXPECT_EQ(first_difference(y, expected(a, b)), "");
    expect_same_description(ops::matmul(a.to(at::kMeta), b.to(at::kMeta)), y);
  }
}

TEST_F(Matmul, TakesAnyStridesOfBothSides) {
  const Tensor a = at::randn({2, 3, 7, 12}), b = at::randn({2, 3, 12, 9});
  const Tensor want = expected(a, b);
  const auto transposed = [](const Tensor& x) { return x.transpose(-1, -2).contiguous().transpose(-1, -2); };
  const auto permuted = [](const Tensor& x) {
    return x.permute({2, 0, 3, 1}).contiguous().permute({1, 3, 0, 2});
  };
  const auto cut = [](const Tensor& x) {
    return at::constant_pad_nd(x, {1, 2, 3, 0}).slice(-1, 1, x.size(-1) + 1).slice(-2, 3);
  };
  for (const Tensor& left : {a, transposed(a), permuted(a), cut(a)})
    for (const Tensor& right : {b, transposed(b), permuted(b), cut(b)})
      EXPECT_EQ(first_difference(ops::matmul(left, right), want), "") << left.strides() << right.strides();
  const Tensor row = at::randn({1, 1, 12, 9});
  EXPECT_EQ(first_difference(ops::matmul(a, row.expand({2, 3, 12, 9})), expected(a, row)), "");
}

TEST_F(Matmul, GivesTheSameBitsWith1And2Threads) {
  for (const Shapes& shapes : std::vector<Shapes>{
           {"", {300, 200}, {200, 130}}, {"", {12, 60, 64}, {12, 64, 60}}, {"", {500, 64}, {64, 20}}}) {
    const Tensor a = at::randn(shapes.a), b = at::randn(shapes.b);
    const auto [one, two] = with_1_and_2_threads([&] { return ops::matmul(a, b); });
    EXPECT_EQ(first_difference(two, one), "");
  }
}

TEST_F(Matmul, HasOneNaN) {
  const float infinity = std::numeric_limits<float>::infinity();
  const Tensor a = at::tensor({infinity, 1.0f}).reshape({1, 2}),
               b = at::tensor({-1.0f, infinity}).reshape({2, 1});
  EXPECT_EQ(kernels::bits(values_of<float>(ops::matmul(a, b))[0]), 0x7FC00000u);
}

std::vector<Tensor> gradients(const Tensor& y, const std::vector<Tensor>& inputs) {
  auto first = torch::autograd::grad({y.sin()}, inputs, {at::ones_like(y)}, true, /*create_graph=*/true);
  Tensor sum = at::zeros({});
  for (const Tensor& each : first) sum = sum + each.square().sum();
  const auto second = torch::autograd::grad({sum}, inputs);
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

TEST_F(Matmul, HasAtensGradientsAlsoOfSecondOrder) {
  for (const Shapes& shapes : kShapes) {
    SCOPED_TRACE(shapes.why);
    const Tensor a = at::randn(shapes.a).requires_grad_(), b = at::randn(shapes.b).requires_grad_();
    if (a.numel() == 0 || b.numel() == 0) continue;
    const auto ours = gradients(ops::matmul(a, b), {a, b}), theirs = gradients(at::matmul(a, b), {a, b});
    for (std::size_t i = 0; i < ours.size(); ++i) {
      ASSERT_EQ(ours[i].sizes(), theirs[i].sizes());
      EXPECT_LT((ours[i] - theirs[i]).abs().max().item<float>(),
                2e-3f * (1 + theirs[i].abs().max().item<float>()));
    }
  }
}

TEST_F(Matmul, SaysWhichArgumentIsWrong) {
  const Tensor a = at::zeros({2, 3}), b = at::zeros({3, 4});
  expect_errors({
      {"[matmul] a: expected float32, got float64; call .to(torch::kFloat)",
       [&] { ops::matmul(a.to(at::kDouble), b); }},
      {"[matmul] b: expected float32, got bfloat16; call .to(torch::kFloat)",
       [&] { ops::matmul(a, b.to(at::kBFloat16)); }},
      {"[matmul] expected [..., m, k] and [..., k, n], got shapes [2, 3] and [4, 3]",
       [&] { ops::matmul(a, b.t()); }},
      {"[matmul] expected tensors of one dimension or more, got shapes [] and [3, 4]",
       [&] { ops::matmul(at::zeros({}), b); }},
  });
  EXPECT_THROW(ops::matmul(at::zeros({2, 2, 3}), at::zeros({3, 3, 4})), c10::Error);
}

}  // namespace
}  // namespace samebits::ops
