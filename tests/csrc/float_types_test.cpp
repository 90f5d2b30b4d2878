// 16-bit x: every operator that takes it gives the bits of the float32 operator on the widened values,
// rounded once more where it returns reals; and autocast gives the bits of .float() arguments.
#include <ATen/autocast_mode.h>

#include "csrc/float/relu.h"
#include "csrc/layers/conv2d.h"
#include "csrc/layers/linear.h"
#include "csrc/observe/min_max.h"
#include "csrc/quantize/dequantize.h"
#include "csrc/quantize/fake_quantize.h"
#include "csrc/quantize/quantize.h"
#include "tests/csrc/op_test.h"

namespace samebits::ops {
namespace {

class FloatTypes : public OpTest {};
class Autocast : public OpTest {};

const at::ScalarType kTypes[] = {at::kFloat, at::kBFloat16, at::kHalf};
const CodeRange kRange{-8, 7};

TEST_F(FloatTypes, FakeQuantizeRoundsTheFloat32ResultOnceMore) {
  for (const at::ScalarType type : kTypes) {
    for (const Layout& layout : kLayouts) {
      const GridTensors grids(layout, kRange);
      const Tensor values = values_for(layout, kRange).to(type);
      const auto call = [&](const Tensor& x) {
        return fake_quantize(x, grids.scale, grids.zero_point, -8, 7, layout.axis, layout.group_size);
      };
      const auto [expected, expected_mask, no_nan] = call(values.to(at::kFloat));
      for (const auto& [why, memory] : memory_layouts(values)) {
        SCOPED_TRACE(c10::str(type, ", ", layout.why, ", ", why));
        const Tensor x = memory.detach().requires_grad_();
        const auto [y, clip_mask, saw_nan] = call(x);
        EXPECT_EQ(first_difference(y, expected.to(type)), "");
        EXPECT_EQ(first_difference(clip_mask, expected_mask), "");
        const Tensor grad_y = at::randn(layout.shape).to(type);
        EXPECT_EQ(first_difference(torch::autograd::grad({y}, {x}, {grad_y})[0],
                                   fake_quantize_backward(grad_y.to(at::kFloat), clip_mask).to(type)),
                  "");
        expect_same_description(
            std::get<0>(fake_quantize(memory.to(at::kMeta), grids.scale.to(at::kMeta),
                                      grids.zero_point.to(at::kMeta), -8, 7, layout.axis, layout.group_size)),
            y);
      }
    }
  }
}

TEST_F(FloatTypes, QuantizeGivesTheCodesOfTheWidenedValues) {
  for (const at::ScalarType type : kTypes) {
    for (const Layout& layout : kLayouts) {
      SCOPED_TRACE(c10::str(type, ", ", layout.why));
      const GridTensors grids(layout, kRange);
      const Tensor x = values_for(layout, kRange).to(type);
      const auto [codes, clip_mask, saw_nan] =
          quantize(x, grids.scale, grids.zero_point, -8, 7, layout.axis, layout.group_size);
      const std::vector<float> widened = values_of<float>(x.to(at::kFloat));
      const Tensor expected = at::empty(layout.shape, at::kChar);
      for (std::int64_t i = 0; i < x.numel(); ++i)
        expected.mutable_data_ptr<std::int8_t>()[i] =
            static_cast<std::int8_t>(oracle::code(widened[i], grids.grid(kRange, layout.grid_index(i))));
      EXPECT_EQ(first_difference(codes, expected), "");
    }
  }
}

TEST_F(FloatTypes, DequantizeRoundsToTheTypeThatWasAskedFor) {
  const Tensor codes = at::randint(-128, 128, {5, 33}, at::kChar), scale = at::rand({33}),
               zero_point = at::randint(-9, 9, {33}, at::kInt);
  const Tensor reals = dequantize(codes, scale, zero_point, 1);
  for (const at::ScalarType type : kTypes) {
    const Tensor y = dequantize(codes, scale, zero_point, 1, 0, type);
    EXPECT_EQ(first_difference(y, reals.to(type)), "") << type;
    expect_same_description(
        dequantize(codes.to(at::kMeta), scale.to(at::kMeta), zero_point.to(at::kMeta), 1, 0, type), y);
  }
  expect_errors(
      {{"[dequantize] dtype: expected float32, bfloat16 or float16, got float64; call "
        ".to(torch::kFloat)",
        [&] { dequantize(codes, scale, zero_point, 1, 0, at::kDouble); }}});
}

TEST_F(FloatTypes, MinMaxOfEveryTypeIsInFloat32) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const at::ScalarType type : kTypes) {
    const Tensor x = at::randn({6, 9001}).to(type);
    for (const auto& [rows, group_size] :
         std::vector<std::pair<std::int64_t, std::int64_t>>{{1, 0}, {6, 0}, {6, 4097}}) {
      SCOPED_TRACE(c10::str(type, ", ", rows, " rows, groups of ", group_size));
      const auto [min, max, saw_nan] = min_max(x, rows, group_size);
      const auto [low, high, no_nan] = min_max(x.to(at::kFloat), rows, group_size);
      EXPECT_EQ(first_difference(min, low), "");
      EXPECT_EQ(first_difference(max, high), "");
      EXPECT_FALSE(saw_nan.item<bool>());
      const auto [meta_min, meta_max, meta_saw_nan] = min_max(x.to(at::kMeta), rows, group_size);
      expect_same_description(meta_min, min);
    }
    x.view({-1})[5000] = nan;
    EXPECT_TRUE(std::get<2>(min_max(x)).item<bool>());
  }
}

/// An autocast region of the CPU.
class Region {
 public:
  explicit Region(at::ScalarType type) : type_before_(at::autocast::get_autocast_dtype(at::kCPU)) {
    at::autocast::set_autocast_enabled(at::kCPU, true);
    at::autocast::set_autocast_dtype(at::kCPU, type);
  }
  ~Region() {
    at::autocast::clear_cache();
    at::autocast::set_autocast_enabled(at::kCPU, false);
    at::autocast::set_autocast_dtype(at::kCPU, type_before_);
  }

 private:
  at::ScalarType type_before_;
};

/// What a layer gives for x, with the gradients of a sum of its squares.
struct LayerRun {
  Tensor y, grad_x, grad_weight;
};
template <class Layer>
LayerRun run_layer(const Tensor& x_values, const Tensor& weight_values, Layer layer) {
  const Tensor x = x_values.detach().clone().requires_grad_();
  const Tensor weight = weight_values.detach().clone().requires_grad_();
  const Tensor y = layer(x, weight);
  const auto grads = torch::autograd::grad({y.square().sum()}, {x, weight});
  return {y, grads[0], grads[1]};
}

TEST_F(Autocast, GivesLayersTheBitsOfFloatArguments) {
  const ActivationGrid x_grid{at::full({1}, 0.05f), at::full({1}, 3, at::kInt)};
  const WeightGrid weight_grid{at::full({5}, 0.02f), std::nullopt, -127, 127, 0};
  const auto linear_layer = [&](const Tensor& x, const Tensor& weight) {
    return linear(x, weight, std::nullopt, x_grid, weight_grid, {}).y;
  };
  for (const at::ScalarType type : {at::kBFloat16, at::kHalf}) {
    SCOPED_TRACE(c10::str(type));
    const Tensor x = at::randn({7, 12}).to(type), weight = at::randn({5, 12}).to(type);
    EXPECT_NE(error_of([&] { linear_layer(x, weight); }), "no error") << "x is widened by autocast alone";
    const LayerRun expected = run_layer(x.to(at::kFloat), weight.to(at::kFloat), linear_layer);
    const LayerRun got = run_layer(x, weight, [&](const Tensor& x_now, const Tensor& weight_now) {
      const Region region(type);  // of the forward alone: torch advises against backward inside one
      return linear_layer(x_now, weight_now);
    });
    EXPECT_EQ(first_difference(got.y, expected.y), "");
    EXPECT_EQ(first_difference(got.grad_x, expected.grad_x.to(type)), "");
    EXPECT_EQ(first_difference(got.grad_weight, expected.grad_weight.to(type)), "");
    const Region region(type);
    EXPECT_EQ(first_difference(std::get<0>(ops::relu(x)), at::relu(x.to(at::kFloat))), "");
  }
}

TEST_F(Autocast, LeavesElementwiseOperatorsInTheTypeOfX) {
  const Tensor x = at::randn({4, 9}).to(at::kBFloat16), scale = at::full({1}, 0.1f),
               zero_point = at::zeros({1}, at::kInt);
  const auto [expected, expected_mask, no_nan] = fake_quantize(x.to(at::kFloat), scale, zero_point, -8, 7);
  const Region region(at::kBFloat16);
  const auto [y, clip_mask, saw_nan] = fake_quantize(x, scale, zero_point, -8, 7);
  EXPECT_EQ(first_difference(y, expected.to(at::kBFloat16)), "");
  EXPECT_EQ(first_difference(clip_mask, expected_mask), "");
}

}  // namespace
}  // namespace samebits::ops
