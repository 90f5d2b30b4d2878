// csrc/float/relu.h against at::relu: values and gradients to the bit, in every memory layout.
#include "csrc/float/relu.h"

#include "tests/csrc/op_test.h"

namespace samebits::ops {
namespace {

class Relu : public OpTest {};

TEST_F(Relu, HasTheBitsAndTheGradientOfTorchsRelu) {
  for (const Layout& layout : kLayouts) {
    for (const auto& [why, memory] : memory_layouts(at::randn(layout.shape))) {
      SCOPED_TRACE(c10::str(memory.sizes(), ", ", why));
      const Tensor ours = memory.detach().requires_grad_(), theirs = memory.detach().clone().requires_grad_();
      const Tensor grad_y = at::randn(memory.sizes());
      const auto [y, clip_mask] = ops::relu(ours);
      const Tensor expected = at::relu(theirs);
      EXPECT_EQ(first_difference(y, expected), "");
      EXPECT_EQ(clip_mask.numel(), (ours.numel() + 7) / 8);
      EXPECT_FALSE(clip_mask.requires_grad());
      EXPECT_EQ(first_difference(torch::autograd::grad({y}, {ours}, {grad_y})[0],
                                 torch::autograd::grad({expected}, {theirs}, {grad_y})[0]),
                "");
      const auto [meta_y, meta_mask] = ops::relu(memory.to(at::kMeta));
      expect_same_description(meta_y, y);
      expect_same_description(meta_mask, clip_mask);
    }
  }
}

TEST_F(Relu, TreatsZerosInfinitiesAndNaNAsTorchDoes) {
  const float infinity = std::numeric_limits<float>::infinity(),
              nan = std::numeric_limits<float>::quiet_NaN();
  const std::vector<float> edges = {0.0f, -0.0f, infinity, -infinity, nan, 0x1p-149f, -0x1p-149f, 1.0f};
  for (const std::int64_t padding : {0, 3, 30}) {  // only whole bytes, a tail, vectors
    std::vector<float> values(padding, 1.0f);
    values.insert(values.end(), edges.begin(), edges.end());
    const Tensor x = at::tensor(values);
    const Tensor y = std::get<0>(ops::relu(x));
    EXPECT_EQ(first_difference(y, at::relu(x)), "") << padding;
  }
}

TEST_F(Relu, GivesTheSameBitsWith1And2Threads) {
  const Tensor x = at::randn({301, 1003});
  const auto [one, two] = with_1_and_2_threads([&] { return ops::relu(x); });
  EXPECT_EQ(first_difference(std::get<0>(two), std::get<0>(one)), "");
  EXPECT_EQ(first_difference(std::get<1>(two), std::get<1>(one)), "");
}

TEST_F(Relu, SaysWhichArgumentIsWrong) {
  expect_errors({{"[relu] x: expected float32, got bfloat16; call .to(torch::kFloat)",
                  [] { ops::relu(at::zeros({2}, at::kBFloat16)); }}});
}

}  // namespace
}  // namespace samebits::ops
