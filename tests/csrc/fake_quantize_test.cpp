// csrc/quantize/fake_quantize.h against the oracle: every layout of grids and memory, the straight-through
// gradient, threads, Meta tensors, and the text of every error.
#include "csrc/quantize/fake_quantize.h"

#include "tests/csrc/op_test.h"

namespace samebits::ops {
namespace {

class FakeQuantize : public OpTest {};

const float kNaN = std::numeric_limits<float>::quiet_NaN();
const float kInfinity = std::numeric_limits<float>::infinity();

bool mask_bit(const Tensor& clip_mask, std::int64_t element) {
  return (clip_mask.const_data_ptr<std::uint8_t>()[element / 8] >> (element % 8) & 1) != 0;
}

/// y and the mask bits that the oracle gives.
struct Expected {
  Tensor y, clipped;
};
Expected oracle_result(const Tensor& x, const Layout& layout, const GridTensors& grids,
                       const CodeRange& range) {
  const std::vector<float> values = values_of<float>(x);
  Expected expected{at::empty(x.sizes()), at::empty(x.sizes(), at::kBool)};
  for (std::int64_t i = 0; i < x.numel(); ++i) {
    const oracle::Grid grid = grids.grid(range, layout.grid_index(i));
    expected.y.mutable_data_ptr<float>()[i] = oracle::fake_quantize(values[i], grid);
    expected.clipped.mutable_data_ptr<bool>()[i] = oracle::is_clipped(values[i], grid);
  }
  return expected;
}

Tensor unpacked(const Tensor& clip_mask, at::IntArrayRef shape) {
  const Tensor bits = at::empty(shape, at::kBool);
  for (std::int64_t i = 0; i < bits.numel(); ++i) bits.mutable_data_ptr<bool>()[i] = mask_bit(clip_mask, i);
  return bits;
}

TEST_F(FakeQuantize, GivesTheOraclesBitsInEveryLayoutAndRangeOfCodes) {
  for (const Layout& layout : kLayouts) {
    for (const CodeRange& range : kCodeRanges) {
      const GridTensors grids(layout, range);
      const Tensor values = values_for(layout, range);
      const Expected expected = oracle_result(values, layout, grids, range);
      for (const auto& [why, x] : memory_layouts(values)) {
        SCOPED_TRACE(c10::str(layout.why, ", ", range.qmin, "..", range.qmax, ", ", why));
        const auto [y, clip_mask, saw_nan] = fake_quantize(x, grids.scale, grids.zero_point, range.qmin,
                                                           range.qmax, layout.axis, layout.group_size);
        EXPECT_EQ(first_difference(y, expected.y), "");
        EXPECT_EQ(clip_mask.numel(), (x.numel() + 7) / 8);
        EXPECT_EQ(first_difference(unpacked(clip_mask, x.sizes()), expected.clipped), "");
        EXPECT_FALSE(saw_nan.item<bool>());
      }
    }
  }
}

TEST_F(FakeQuantize, PassesTheGradientWhereNothingWasClippedAndNoneElsewhere) {
  const CodeRange range{-8, 7};
  for (const Layout& layout : kLayouts) {
    const GridTensors grids(layout, range);
    const Tensor values = values_for(layout, range);
    const Expected expected = oracle_result(values, layout, grids, range);
    const Tensor grad_y = at::randn(layout.shape);
    const Tensor grad_x = at::where(expected.clipped, at::zeros_like(grad_y), grad_y);
    for (const auto& [why, memory] : memory_layouts(values)) {
      SCOPED_TRACE(c10::str(layout.why, ", ", why));
      const Tensor x = memory.detach().requires_grad_();
      const auto [y, clip_mask, saw_nan] = fake_quantize(x, grids.scale, grids.zero_point, range.qmin,
                                                         range.qmax, layout.axis, layout.group_size);
      EXPECT_EQ(first_difference(torch::autograd::grad({y}, {x}, {grad_y})[0], grad_x), "");
      EXPECT_FALSE(clip_mask.requires_grad());
      EXPECT_FALSE(saw_nan.requires_grad());
    }
  }
}

TEST_F(FakeQuantize, BackwardReadsGradientsOfAnyMemoryLayout) {
  const Tensor clip_mask = at::tensor({0b10110010, 0b00000101}, at::kByte);
  const Tensor grad_y = at::randn({5, 2});
  const Tensor expected = at::where(unpacked(clip_mask, {5, 2}), at::zeros({5, 2}), grad_y);
  for (const auto& [why, grad] : memory_layouts(grad_y)) {
    SCOPED_TRACE(why);
    EXPECT_EQ(first_difference(fake_quantize_backward(grad, clip_mask), expected), "");
  }
  EXPECT_EQ(first_difference(fake_quantize_backward(at::ones({1}).expand({10}), clip_mask).reshape({5, 2}),
                             at::where(unpacked(clip_mask, {5, 2}), at::zeros({5, 2}), at::ones({5, 2}))),
            "");
}

TEST_F(FakeQuantize, GivesTheSameBitsWith1And2Threads) {
  const Tensor x = at::randn({300, 1001}) * 30;
  for (const auto& [scale_shape, group_size] :
       std::vector<std::pair<std::vector<std::int64_t>, std::int64_t>>{
           {{1}, 0}, {{300}, 0}, {{300, 32}, 32}}) {
    const Tensor scale = at::rand(scale_shape) * 0.3 + 0.1;
    const Tensor zero_point = at::randint(-20, 20, scale_shape, at::kInt);
    const auto [one, two] = with_1_and_2_threads(
        [&, group = group_size] { return fake_quantize(x, scale, zero_point, -128, 127, 0, group); });
    EXPECT_EQ(first_difference(std::get<0>(two), std::get<0>(one)), "");
    EXPECT_EQ(first_difference(std::get<1>(two), std::get<1>(one)), "");
  }
}

TEST_F(FakeQuantize, MarksANaNAndGivesItTheRealZeroAndNoGradient) {
  for (const std::int64_t place : {0, 7, 8, 18}) {
    const Tensor x = at::ones({19});
    x[place] = kNaN;
    x.requires_grad_();
    const auto [y, clip_mask, saw_nan] =
        fake_quantize(x, at::full({1}, 0.5f), at::full({1}, 3, at::kInt), -128, 127);
    EXPECT_TRUE(saw_nan.item<bool>());
    Tensor expected = at::ones({19});
    expected[place] = 0.0f;
    EXPECT_EQ(first_difference(y, expected), "");
    EXPECT_EQ(first_difference(torch::autograd::grad({y}, {x}, {at::ones({19})})[0], expected), "");
  }
}

TEST_F(FakeQuantize, SaturatesInfinitiesWithoutCallingThemNaN) {
  const auto [y, clip_mask, saw_nan] = fake_quantize(at::tensor({kInfinity, -kInfinity}), at::ones({1}),
                                                     at::full({1}, 1, at::kInt), -128, 127);
  EXPECT_EQ(first_difference(y, at::tensor({126.0f, -129.0f})), "");
  EXPECT_EQ(clip_mask[0].item<int>(), 3);
  EXPECT_FALSE(saw_nan.item<bool>());
}

TEST_F(FakeQuantize, KeepsNoGraphWhenGradientsAreOffOrNotAskedFor) {
  const Tensor scale = at::ones({1}).requires_grad_(), zero_point = at::zeros({1}, at::kInt);
  const Tensor x = at::randn({4}).requires_grad_();
  {
    const at::NoGradGuard no_grad;
    EXPECT_FALSE(std::get<0>(fake_quantize(x, scale, zero_point, -8, 7)).requires_grad());
  }
  EXPECT_FALSE(std::get<0>(fake_quantize(x.detach(), scale.detach(), zero_point, -8, 7)).requires_grad());
  const Tensor y = std::get<0>(fake_quantize(x, scale, zero_point, -8, 7));
  y.sum().backward();
  EXPECT_TRUE(x.grad().defined());
  EXPECT_FALSE(scale.grad().defined());  // scales come from observers, not from gradients
}

TEST_F(FakeQuantize, TellsTheShapesOfMetaTensorsAsTheCpuDoes) {
  for (const Layout& layout : kLayouts) {
    const GridTensors grids(layout, {-8, 7});
    for (const auto& [why, x] : memory_layouts(values_for(layout, {-8, 7}))) {
      SCOPED_TRACE(c10::str(layout.why, ", ", why));
      const auto [y, clip_mask, saw_nan] =
          fake_quantize(x, grids.scale, grids.zero_point, -8, 7, layout.axis, layout.group_size);
      const auto [meta_y, meta_mask, meta_saw_nan] =
          fake_quantize(x.to(at::kMeta), grids.scale.to(at::kMeta), grids.zero_point.to(at::kMeta), -8, 7,
                        layout.axis, layout.group_size);
      expect_same_description(meta_y, y);
      expect_same_description(meta_mask, clip_mask);
      expect_same_description(meta_saw_nan, saw_nan);
      expect_same_description(fake_quantize_backward(meta_y, meta_mask),
                              fake_quantize_backward(y, clip_mask));
    }
  }
}

TEST_F(FakeQuantize, SaysWhichArgumentIsWrong) {
  const Tensor x = at::randn({3, 4}), one = at::ones({1}), zero = at::zeros({1}, at::kInt);
  const auto call = [&](const Tensor& values, const Tensor& scale, const Tensor& zero_point,
                        std::int64_t qmin = -8, std::int64_t qmax = 7, std::int64_t axis = 0,
                        std::int64_t group_size = 0) {
    return [=] { fake_quantize(values, scale, zero_point, qmin, qmax, axis, group_size); };
  };
  const auto zeros = [](at::IntArrayRef shape) { return at::zeros(shape, at::kInt); };
  const std::string observe = "; observe at least one batch before quantizing";
  expect_errors({
      {"[fake_quantize] x: expected float32, bfloat16 or float16, got float64; call .to(torch::kFloat)",
       call(x.to(at::kDouble), one, zero)},
      {"[fake_quantize] scale: expected float32, got bfloat16; call .to(torch::kFloat)",
       call(x, one.to(at::kBFloat16), zero)},
      {"[fake_quantize] zero_point: expected int32, got int64; call .to(torch::kInt)",
       call(x, one, zero.to(at::kLong))},
      {"[fake_quantize] qmin, qmax: expected -128 <= qmin < qmax <= 127, got -129 and 127",
       call(x, one, zero, -129, 127)},
      {"[fake_quantize] qmin, qmax: expected -128 <= qmin < qmax <= 127, got 0 and 128",
       call(x, one, zero, 0, 128)},
      {"[fake_quantize] qmin, qmax: expected -128 <= qmin < qmax <= 127, got 7 and 7",
       call(x, one, zero, 7, 7)},
      {"[fake_quantize] scale: expected 1 value or 3 (one a channel of axis 0), got 4",
       call(x, at::ones({4}), zeros({4}))},
      {"[fake_quantize] scale: expected 1 value or 4 (one a channel of axis 1), got 3",
       call(x, at::ones({3}), zeros({3}), -8, 7, 1)},
      {"[fake_quantize] axis: expected a value in -2..1, got 2",
       call(x, at::ones({3}), zeros({3}), -8, 7, 2)},
      {"[fake_quantize] axis: expected a value in -2..1, got -3",
       call(x, at::ones({3}), zeros({3}), -8, 7, -3)},
      {"[fake_quantize] zero_point: expected 3 values, as many as scale, got 1",
       call(x, at::ones({3}), zero)},
      {"[fake_quantize] group_size: expected 0 (none) or more, got -2", call(x, one, zero, -8, 7, 0, -2)},
      {"[fake_quantize] scale: expected 3 x 2 values for groups of 3, got 3",
       call(x, at::ones({3}), zeros({3}), -8, 7, 0, 3)},
      {"[fake_quantize] scale: expected a finite value >= 2^-126, got 0" + observe,
       call(x, zeros({1}).to(at::kFloat), zero)},
      {"[fake_quantize] scale: expected a finite value >= 2^-126, got -1" + observe, call(x, -one, zero)},
      {"[fake_quantize] scale: expected a finite value >= 2^-126, got nan" + observe,
       call(x, one * kNaN, zero)},
      {"[fake_quantize] scale: expected a finite value >= 2^-126, got inf" + observe,
       call(x, one * kInfinity, zero)},
      {"[fake_quantize] scale: expected a finite value >= 2^-126, got 5.87747e-39" + observe,
       call(x, at::full({1}, 0x1p-127f), zero)},
      {"[fake_quantize] scale: expected a finite value >= 2^-126, got 0" + observe,
       call(x, at::tensor({1.0f, 1.0f, 0.0f}), zeros({3}))},
      {"[fake_quantize] zero_point: expected a value in -8..7, got 8",
       call(x, one, at::full({1}, 8, at::kInt))},
      {"[fake_quantize] zero_point: expected a value in -8..7, got -9",
       call(x, one, at::full({1}, -9, at::kInt))},
      {"[fake_quantize_backward] clip_mask: expected 2 bytes for 12 elements, got 1",
       [&] { fake_quantize_backward(x, at::zeros({1}, at::kByte)); }},
      {"[fake_quantize_backward] clip_mask: expected uint8, got bool; call .to(torch::kByte)",
       [&] { fake_quantize_backward(x, at::zeros({2}, at::kBool)); }},
      {"[fake_quantize_backward] grad_y: expected float32, bfloat16 or float16, got float64; call "
       ".to(torch::kFloat)",
       [&] { fake_quantize_backward(x.to(at::kDouble), at::zeros({2}, at::kByte)); }},
  });
}

TEST_F(FakeQuantize, TakesTheSmallestScaleOfTheContract) {
  const Tensor scale = at::full({1}, 0x1p-126f);
  const Tensor y =
      std::get<0>(fake_quantize(at::tensor({0x1p-125f}), scale, at::zeros({1}, at::kInt), -8, 7));
  EXPECT_EQ(y.item<float>(), 0x1p-125f);
}

}  // namespace
}  // namespace samebits::ops
