// csrc/layers/max_pool2d.h against torch's max_pool2d: values and gradients by bits; ties, NaN, Meta tensors,
// and the text of every error.
#include "csrc/layers/max_pool2d.h"

#include "tests/csrc/op_test.h"

namespace samebits::ops {
namespace {

using kernels::Random;
using kernels::random_int;

const float kNaN = std::numeric_limits<float>::quiet_NaN();
const float kInfinity = std::numeric_limits<float>::infinity();

class MaxPool2dOp : public OpTest {
 protected:
  Random random_{5};
};

/// {height, width} each.
struct Pool {
  std::vector<std::int64_t> kernel, stride, padding;
};
std::string describe(const Pool& pool) {
  return c10::str("kernel ", pool.kernel, ", stride ", pool.stride, ", padding ", pool.padding);
}

void expect_as_torch(const Tensor& values, const Pool& pool) {
  const Tensor ours = values.detach().requires_grad_(), theirs = values.detach().requires_grad_();
  const auto [y, argmax] = ops::max_pool2d(ours, pool.kernel, pool.stride, pool.padding);
  const Tensor expected = at::max_pool2d(theirs, pool.kernel, pool.stride, pool.padding);
  EXPECT_EQ(first_difference(y, expected), "");
  EXPECT_EQ(argmax.sizes(), y.sizes());
  EXPECT_FALSE(argmax.requires_grad());
  const Tensor grad_y = at::randn(expected.sizes());
  const Tensor got = torch::autograd::grad({y}, {ours}, {grad_y})[0];
  EXPECT_EQ(first_difference(got, torch::autograd::grad({expected}, {theirs}, {grad_y})[0]), "");
}

TEST_F(MaxPool2dOp, HasTorchsBitsForRandomWindows) {
  for (int round = 0; round < 200; ++round) {
    Pool pool;
    std::vector<std::int64_t> shape = {random_int(random_, 1, 3), random_int(random_, 1, 5)};
    for (int axis = 0; axis < 2; ++axis) {
      pool.kernel.push_back(random_int(random_, 1, 5));
      pool.stride.push_back(random_int(random_, 1, 4));
      pool.padding.push_back(random_int(random_, 0, pool.kernel[axis] / 2));
      shape.push_back(random_int(random_, pool.kernel[axis], 20));
    }
    SCOPED_TRACE(c10::str(at::IntArrayRef(shape), ", ", describe(pool)));
    expect_as_torch(at::randn(shape), pool);
  }
}

TEST_F(MaxPool2dOp, ChoosesAmongEqualsNaNsAndInfinitiesAsTorchDoes) {
  const Pool pools[] = {{{2, 2}, {2, 2}, {0, 0}}, {{3, 3}, {1, 1}, {1, 1}}, {{3, 2}, {2, 1}, {1, 0}}};
  for (const Pool& pool : pools) {
    SCOPED_TRACE(describe(pool));
    expect_as_torch(at::randint(0, 2, {2, 3, 9, 11}).to(at::kFloat), pool);
    expect_as_torch(at::zeros({1, 2, 6, 6}), pool);
    expect_as_torch(at::full({1, 1, 6, 6}, -kInfinity), pool);
    Tensor rare = at::randn({2, 2, 8, 8});
    for (const float value : {kNaN, kInfinity, -kInfinity})
      rare.flatten().masked_fill_(at::rand({rare.numel()}) < 0.1, value);
    ASSERT_TRUE(rare.isnan().any().item<bool>());
    expect_as_torch(rare, pool);
  }
}

TEST_F(MaxPool2dOp, TakesTensorsOfAnyMemoryLayoutAndNoImages) {
  const Pool pool{{3, 2}, {2, 1}, {1, 1}};
  for (const auto& [why, x] : memory_layouts(at::randn({3, 4, 8, 7}))) {
    SCOPED_TRACE(why);
    EXPECT_EQ(first_difference(std::get<0>(ops::max_pool2d(x, pool.kernel, pool.stride, pool.padding)),
                               at::max_pool2d(x, pool.kernel, pool.stride, pool.padding)),
              "");
  }
  expect_as_torch(at::empty({0, 4, 8, 7}), pool);
}

TEST_F(MaxPool2dOp, GivesTheSameBitsWith1And2Threads) {
  const Tensor x = at::randn({8, 16, 40, 40}).requires_grad_(), grad_y = at::randn({8, 16, 20, 20});
  const auto [one, two] = with_1_and_2_threads([&] {
    const Tensor y = std::get<0>(ops::max_pool2d(x, {3, 3}, {2, 2}, {1, 1}));
    return std::pair(y, torch::autograd::grad({y}, {x}, {grad_y})[0]);
  });
  EXPECT_EQ(first_difference(two.first, one.first), "");
  EXPECT_EQ(first_difference(two.second, one.second), "");
}

TEST_F(MaxPool2dOp, TellsTheShapesOfMetaTensorsAsTheCpuDoes) {
  const Tensor x = at::randn({2, 3, 9, 8});
  const auto [y, argmax] = ops::max_pool2d(x, {3, 2}, {2, 3}, {1, 0});
  const auto [meta_y, meta_argmax] = ops::max_pool2d(x.to(at::kMeta), {3, 2}, {2, 3}, {1, 0});
  expect_same_description(meta_y, y);
  expect_same_description(meta_argmax, argmax);
}

TEST_F(MaxPool2dOp, SaysWhichArgumentIsWrong) {
  const Tensor x = at::zeros({1, 2, 5, 6});
  const auto call = [](const Tensor& input, const Pool& pool) {
    return [=] { ops::max_pool2d(input, pool.kernel, pool.stride, pool.padding); };
  };
  const Pool right{{2, 2}, {1, 1}, {0, 0}};
  expect_errors({
      {"no error", call(x, right)},
      {"[max_pool2d] x: expected float32, got float64; call .to(torch::kFloat)",
       call(x.to(at::kDouble), right)},
      {"[max_pool2d] x: expected [n, channels, height, width], got shape [2, 5, 6]", call(x[0], right)},
      {"[max_pool2d] kernel: expected 2 integers >= 1, got [0, 2]", call(x, {{0, 2}, {1, 1}, {0, 0}})},
      {"[max_pool2d] stride: expected 2 integers >= 1, got [1, 0]", call(x, {{2, 2}, {1, 0}, {0, 0}})},
      {"[max_pool2d] padding: expected 2 integers >= 0, got [-1, 0]", call(x, {{2, 2}, {1, 1}, {-1, 0}})},
      {"[max_pool2d] kernel: expected at most 255 elements, got [16, 16]; use torch::max_pool2d",
       call(at::zeros({1, 1, 20, 20}), {{16, 16}, {1, 1}, {0, 0}})},
      {"no error", call(at::zeros({1, 1, 20, 20}), {{15, 17}, {1, 1}, {0, 0}})},
      {"[max_pool2d] padding: expected at most half of the kernel [2, 3], got [0, 2]",
       call(x, {{2, 3}, {1, 1}, {0, 2}})},
      {"[max_pool2d] x: expected at least [8, 2] padded pixels, got planes of [5, 6] and padding [1, 0]",
       call(x, {{8, 2}, {1, 1}, {1, 0}})},
  });
}

TEST_F(MaxPool2dOp, RefusesPlacesThatAreNotInsideOfThePlane) {
  static const auto op = c10::Dispatcher::singleton()
                             .findSchemaOrThrow("samebits::max_pool2d_backward", "")
                             .typed<Tensor(const Tensor&, const Tensor&, at::IntArrayRef, at::IntArrayRef,
                                           at::IntArrayRef, at::IntArrayRef)>();
  const auto [y, argmax] = ops::max_pool2d(at::randn({1, 2, 4, 4}), {3, 3}, {2, 2}, {1, 1});
  ASSERT_EQ(argmax.sizes(), (std::vector<std::int64_t>{1, 2, 2, 2}));
  const auto with = [&, found = argmax](std::int64_t element, std::int64_t place) {
    return [=] {
      Tensor changed = found.clone();
      changed.flatten()[element] = place;
      op.call(at::ones_like(found, at::kFloat), changed, {4, 4}, {3, 3}, {2, 2}, {1, 1});
    };
  };
  expect_errors({
      {"no error", with(0, 4)},
      {"[max_pool2d_backward] argmax: expected places of windows inside of planes of [4, 4], got 0 at "
       "element 0",
       with(0, 0)},  // in the padding above and on the left
      {"[max_pool2d_backward] argmax: expected places of windows inside of planes of [4, 4], got 2 at "
       "element 5",
       with(5, 2)},
      {"[max_pool2d_backward] argmax: expected places of windows inside of planes of [4, 4], got 9 at "
       "element 7",
       with(7, 9)},  // behind the window
  });
}

}  // namespace
}  // namespace samebits::ops
