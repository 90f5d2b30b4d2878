// csrc/resize/upsample_bilinear2d.h: the oracle's bits, close to ATen's, with ATen's shapes and gradients.
#include "csrc/resize/upsample_bilinear2d.h"

#include "kernels/float/resize_step.h"
#include "tests/csrc/op_test.h"
#include "tests/graph/cases/resize.h"

namespace samebits::ops {
namespace {

class Upsample : public OpTest {};

/// One of a size and of factors.
struct Resize {
  std::optional<std::vector<std::int64_t>> size;
  std::optional<std::vector<double>> factors;
  bool align_corners = false;
};
const std::vector<Resize> kResizes = {{{{8, 10}}, {}},         {{{7, 13}}, {}},       {{{4, 5}}, {}},
                                      {{{1, 1}}, {}},          {{}, {{2.0, 2.0}}},    {{}, {{1.7, 2.3}}},
                                      {{}, {{0.5, 0.75}}},     {{{8, 10}}, {}, true}, {{{1, 3}}, {}, true},
                                      {{}, {{1.7, 2.3}}, true}};

template <class Call>
Tensor resized(const Tensor& x, const Resize& resize, const Call& call) {
  std::vector<c10::SymInt> size;
  if (resize.size.has_value()) size.assign(resize.size->begin(), resize.size->end());
  const auto sizes = resize.size.has_value() ? at::OptionalSymIntArrayRef(size) : std::nullopt;
  const auto factors =
      resize.factors.has_value() ? std::optional<at::ArrayRef<double>>(*resize.factors) : std::nullopt;
  return call(x, sizes, resize.align_corners, factors);
}
Tensor ours(const Tensor& x, const Resize& resize) {
  return resized(x, resize, [](const auto&... arguments) { return ops::upsample_bilinear2d(arguments...); });
}
Tensor atens(const Tensor& x, const Resize& resize) {
  return resized(x, resize,
                 [](const auto&... arguments) { return at::upsample_bilinear2d_symint(arguments...); });
}

TEST_F(Upsample, GivesTheOraclesBitsAndTheShapesOfAten) {
  const Tensor x = at::randn({2, 3, 4, 5});
  for (const Resize& resize : kResizes) {
    const Tensor y = ours(x, resize), theirs = atens(x, resize);
    ASSERT_EQ(y.sizes(), theirs.sizes());
    EXPECT_LT((y - theirs).abs().max().item<float>(), 1e-5f);
    const auto step = [&](int axis) {
      return kernels::resize_step(
          x.size(axis), y.size(axis), resize.align_corners,
          resize.factors.has_value() ? std::optional(resize.factors->at(axis - 2)) : std::nullopt);
    };
    const graph::Node node = graph::make_node(
        "y", graph::UpsampleBilinear2d{{y.size(2), y.size(3)}, step(2), step(3), resize.align_corners}, {"x"},
        "y");
    const auto expected = oracle::run_upsample_bilinear2d(node, {{x.sizes().vec(), values_of<float>(x)}});
    EXPECT_EQ(first_difference(y, tensor_of(expected.values, y.sizes())), "");
    expect_same_description(ours(x.to(at::kMeta), resize), y);
  }
}

TEST_F(Upsample, IsTheSameWhateverTheLayoutAndTheThreads) {
  const Tensor x = at::randn({3, 20, 30, 31});
  const Resize resize{{{61, 47}}, {}};
  const auto [one, two] = with_1_and_2_threads([&] { return ours(x, resize); });
  EXPECT_EQ(first_difference(two, one), "");
  EXPECT_EQ(first_difference(ours(x.contiguous(at::MemoryFormat::ChannelsLast), resize), one), "");
  EXPECT_EQ(ours(x.narrow(0, 0, 0), resize).size(0), 0);
}

TEST_F(Upsample, HasAtensGradients) {
  for (const Resize& resize : kResizes) {
    const Tensor x = at::randn({2, 3, 4, 5}).requires_grad_(), y = ours(x, resize),
                 grad = at::randn(y.sizes());
    const Tensor got = torch::autograd::grad({y}, {x}, {grad})[0],
                 expected = torch::autograd::grad({atens(x, resize)}, {x}, {grad})[0];
    EXPECT_LT((got - expected).abs().max().item<float>(), 1e-5f);
  }
}

TEST_F(Upsample, SaysWhichArgumentIsWrong) {
  const Tensor x = at::zeros({1, 2, 4, 5});
  expect_errors({
      {"[upsample_bilinear2d] x: expected float32, got float64; call .to(torch::kFloat)",
       [&] {
         ours(x.to(at::kDouble), {{{2, 2}}, {}});
       }},
      {"[upsample_bilinear2d] x: expected [n, channels, height, width], got shape [2, 4, 5]",
       [&] {
         ours(x[0], {{{2, 2}}, {}});
       }},
      {"[upsample_bilinear2d] expected an output_size or scale_factors of 2, got neither",
       [&] {
         ours(x, {{}, {}});
       }},
      {"[upsample_bilinear2d] expected an output_size or scale_factors of 2, got both",
       [&] {
         ours(x, {{{2, 2}}, {{1.0, 1.0}}});
       }},
      {"[upsample_bilinear2d] expected an output_size or scale_factors of 2, got 1",
       [&] {
         ours(x, {{{2}}, {}});
       }},
      {"[upsample_bilinear2d] expected sizes of 1 and more, got 4 to 0",
       [&] {
         ours(x, {{{0, 2}}, {}});
       }},
      {"[upsample_bilinear2d] expected sizes of 1 and more, got 4 to 0",
       [&] {
         ours(x, {{}, {{0.1, 1.0}}});
       }},
  });
}

}  // namespace
}  // namespace samebits::ops
