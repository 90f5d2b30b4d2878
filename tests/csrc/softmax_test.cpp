// csrc/float/softmax.h: the oracle's bits along every dimension, ATen's gradients of first and second order.
#include "csrc/float/softmax.h"

#include "tests/csrc/op_test.h"
#include "tests/function_oracle.h"

namespace samebits::ops {
namespace {

class Softmax : public OpTest {};

Tensor expected_of(const Tensor& x, std::int64_t dim, bool is_log) {
  const std::int64_t axis = dim < 0 ? dim + x.dim() : dim;
  const Tensor moved = x.movedim(axis, -1).contiguous();
  const std::vector<float> y =
      oracle::for_rows(values_of<float>(moved), x.size(axis), 1,
                       [&](const std::vector<float>& row) { return oracle::softmax_of(row, is_log); });
  return tensor_of(y, moved.sizes()).movedim(-1, axis).contiguous();
}

TEST_F(Softmax, HasTheOraclesBitsAlongEveryDimensionOfEveryLayout) {
  for (const std::vector<std::int64_t>& shape :
       std::vector<std::vector<std::int64_t>>{{9}, {5, 70}, {3, 4, 5}, {2, 17, 3, 6}})
    for (const auto& [why, x] : memory_layouts(at::randn(shape) * 4))
      for (std::int64_t dim = -x.dim(); dim < x.dim(); ++dim)
        for (const bool is_log : {false, true}) {
          SCOPED_TRACE(c10::str(x.sizes(), ", ", why, ", dim ", dim, is_log ? ", log" : ""));
          const Tensor y = is_log ? ops::log_softmax(x, dim) : ops::softmax(x, dim);
          EXPECT_EQ(first_difference(y, expected_of(x, dim, is_log)), "");
          const Tensor meta = x.to(at::kMeta);
          expect_same_description(is_log ? ops::log_softmax(meta, dim) : ops::softmax(meta, dim), y);
        }
}

TEST_F(Softmax, TakesTensorsOfNoElementsAndOfNoDimensions) {
  EXPECT_EQ(ops::softmax(at::zeros({0, 3}), 1).sizes(), (std::vector<std::int64_t>{0, 3}));
  EXPECT_EQ(ops::softmax(at::zeros({3, 0}), 1).sizes(), (std::vector<std::int64_t>{3, 0}));
  EXPECT_EQ(ops::softmax(at::zeros({}), 0).item<float>(), 1);
}

TEST_F(Softmax, HasATensGradientsAlsoOfSecondOrder) {
  for (const bool is_log : {false, true})
    for (const std::int64_t dim : {0, 1, -1}) {
      const Tensor ours = at::randn({4, 3, 6}).requires_grad_(),
                   theirs = ours.detach().clone().requires_grad_();
      const Tensor weights = at::randn({4, 3, 6});
      const auto gradients = [&](const Tensor& y, const Tensor& x) {
        const Tensor first = torch::autograd::grad({y}, {x}, {weights}, true, /*create_graph=*/true)[0];
        return std::pair(first.detach(), torch::autograd::grad({first}, {x}, {weights})[0]);
      };
      const auto [first, second] =
          gradients(is_log ? ops::log_softmax(ours, dim) : ops::softmax(ours, dim), ours);
      const auto [their_first, their_second] =
          gradients(is_log ? at::log_softmax(theirs, dim) : at::softmax(theirs, dim), theirs);
      EXPECT_TRUE(at::allclose(first, their_first, 1e-5, 1e-6));
      EXPECT_TRUE(at::allclose(second, their_second, 1e-5, 1e-6));
    }
}

TEST_F(Softmax, GivesTheSameBitsWith1And2Threads) {
  const Tensor x = at::randn({500, 300, 3});
  for (const std::int64_t dim : {0, 1, 2}) {
    const auto [one, two] = with_1_and_2_threads([&] { return ops::softmax(x, dim); });
    EXPECT_EQ(first_difference(two, one), "");
  }
}

TEST_F(Softmax, SaysWhichArgumentIsWrong) {
  expect_errors({
      {"[softmax] x: expected float32, got float64; call .to(torch::kFloat)",
       [] { ops::softmax(at::zeros({2}, at::kDouble), 0); }},
      {"[log_softmax] dim: expected -2..1, got 2",
       [] {
         ops::log_softmax(at::zeros({2, 3}), 2);
       }},
      {"[softmax] dtype: expected float32 or none, got float64; cast the result",
       [] {
         ops::softmax(at::zeros({2, 3}), 1, at::kDouble);
       }},
  });
}

}  // namespace
}  // namespace samebits::ops
