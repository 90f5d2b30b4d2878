// Grids that are not uniform: fake_quantize_codebook, fake_quantize_float and fake_quantize_mx against
// tests/format_oracle.h, and float8 against torch's own types.
#include "csrc/formats/codebook.h"
#include "csrc/formats/fake_quantize_small_float.h"
#include "csrc/formats/mx.h"
#include "tests/csrc/op_test.h"
#include "tests/format_oracle.h"

namespace samebits::ops {
namespace {

class Codebook : public OpTest {};
class SmallFloat : public OpTest {};
class Mx : public OpTest {};

const float kNaN = std::numeric_limits<float>::quiet_NaN();
const float kInfinity = std::numeric_limits<float>::infinity();
const at::ScalarType kTypes[] = {at::kFloat, at::kBFloat16, at::kHalf};

/// What an oracle says of one element.
struct Expected {
  float y;
  bool clipped;
};

/// Calls `run(x)` in every memory layout of `values` and holds y, mask, gradient and Meta tensors to
/// `oracle(x, element)`.
template <class Run, class Oracle>
void expect_oracle(const Tensor& values, Run run, Oracle oracle) {
  const std::vector<float> widened = values_of<float>(values.to(at::kFloat));
  const Tensor expected = at::empty(values.sizes()), mask = at::zeros({(values.numel() + 7) / 8}, at::kByte);
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    const Expected each = oracle(widened[i], i);
    expected.mutable_data_ptr<float>()[i] = each.y;
    if (each.clipped) mask.mutable_data_ptr<std::uint8_t>()[i / 8] |= static_cast<std::uint8_t>(1 << (i % 8));
  }
  for (const auto& [why, memory] : memory_layouts(values)) {
    SCOPED_TRACE(why);
    const Tensor x = memory.detach().requires_grad_();
    const auto [y, clip_mask, saw_nan] = run(x);
    EXPECT_EQ(first_difference(y, expected.to(values.scalar_type())), "");
    EXPECT_EQ(first_difference(clip_mask, mask), "");
    EXPECT_FALSE(saw_nan.template item<bool>());
    const Tensor grad_y = at::randn(values.sizes()).to(values.scalar_type());
    EXPECT_EQ(
        first_difference(torch::autograd::grad({y}, {x}, {grad_y})[0], fake_quantize_backward(grad_y, mask)),
        "");
    EXPECT_FALSE(clip_mask.requires_grad());
  }
}

/// `layouts` of scales without zero points.
Tensor scales_for(const Layout& layout) {
  return at::rand(layout.grid_shape) + 0.25;
}

TEST_F(Codebook, GoesToTheNearestValueInEveryLayoutAndType) {
  const std::vector<std::vector<double>> codebooks = {powers_of_two(4),
                                                      additive_powers_of_two(3),
                                                      additive_powers_of_two(4, false),
                                                      normal_float4(),
                                                      {-1, 2}};
  for (const auto& codebook : codebooks) {
    const std::vector<float> values(codebook.begin(), codebook.end());
    for (const at::ScalarType type : kTypes) {
      for (const Layout& layout : kLayouts) {
        SCOPED_TRACE(c10::str(codebook.size(), " values, ", type, ", ", layout.why));
        const Tensor scale = scales_for(layout);
        const std::vector<float> scales = values_of<float>(scale);
        expect_oracle(
            at::randn(layout.shape).to(type),
            [&](const Tensor& x) {
              return fake_quantize_codebook(x, scale, codebook, layout.axis, layout.group_size);
            },
            [&](float r, std::int64_t i) {
              const float s = scales[layout.grid_index(i)], v = oracle::divide(r, s);
              return Expected{oracle::multiply(values[oracle::nearest_index(v, values)], s),
                              v < values.front() || v > values.back()};
            });
      }
    }
  }
}

TEST_F(Codebook, HasTheNamedValuesOfItsPapers) {
  EXPECT_EQ(powers_of_two(3), (std::vector<double>{-1, -0.5, -0.25, 0, 0.25, 0.5, 1}));
  EXPECT_EQ(additive_powers_of_two(2, false).size(), 4u);
  EXPECT_EQ(additive_powers_of_two(4).size(), 15u);
  EXPECT_EQ(normal_float4().size(), 16u);
  EXPECT_EQ(normal_float4().front(), -1.0);
}

TEST_F(Codebook, SaysWhichArgumentIsWrong) {
  const Tensor x = at::randn({4}), one = at::ones({1});
  expect_errors({
      {"[codebook] values: expected 2 to 16 of them, got 1; 4 bits hold no more codes",
       [&] { fake_quantize_codebook(x, one, std::vector<double>{1}); }},
      {"[codebook] values[1]: expected a value above values[0] = 1, got 0.5; sort the values and keep each "
       "once",
       [&] {
         fake_quantize_codebook(x, one, std::vector<double>{1, 0.5});
       }},
      {"[codebook] powers_of_two: expected bits in 2..4, got 5; wider codes have uniform grids",
       [] { powers_of_two(5); }},
      {"[fake_quantize_codebook] x: expected float32, bfloat16 or float16, got float64; call "
       ".to(torch::kFloat)",
       [&] { fake_quantize_codebook(x.to(at::kDouble), one, normal_float4()); }},
      {"[fake_quantize_codebook] scale: expected 1 value or 4 (one a channel of axis 0), got 3",
       [&] { fake_quantize_codebook(x, at::ones({3}), normal_float4()); }},
  });
}

struct NamedFormat {
  const char* name;
  oracle::SmallFloat format;
};
const NamedFormat kFloatFormats[] = {{"e4m3", oracle::kE4M3},
                                     {"e5m2", oracle::kE5M2},
                                     {"e3m2", oracle::kE3M2},
                                     {"e2m3", oracle::kE2M3},
                                     {"e2m1", oracle::kE2M1}};

TEST_F(SmallFloat, RoundsToTheFormatInEveryLayoutAndType) {
  for (const NamedFormat& named : kFloatFormats) {
    const oracle::SmallFloatSearch search(named.format);
    for (const at::ScalarType type : kTypes) {
      for (const Layout& layout : kLayouts) {
        SCOPED_TRACE(c10::str(named.name, ", ", type, ", ", layout.why));
        const Tensor scale = scales_for(layout);
        const std::vector<float> scales = values_of<float>(scale);
        expect_oracle((at::randn(layout.shape) * named.format.largest() * 0.5).to(type),
                      [&](const Tensor& x) {
                        return fake_quantize_float(x, scale, named.name, true, layout.axis,
                                                   layout.group_size);
                      },
                      [&](float r, std::int64_t i) {
                        const float s = scales[layout.grid_index(i)];
                        const auto found = search.encode(oracle::divide(r, s), true);
                        const auto real = static_cast<float>(oracle::decode(found.code, named.format));
                        return Expected{oracle::multiply(real, s), found.clipped};
                      });
      }
    }
  }
}

TEST_F(SmallFloat, AgreesWithTorchsFloat8TypesOnEveryMagnitude) {
  const Tensor x = at::randn({20000}) * at::exp2(at::randint(-24, 14, {20000}).to(at::kFloat));
  const Tensor one = at::ones({1});
  const Tensor small = at::clamp(x, -448.0, 448.0);
  EXPECT_EQ(first_difference(std::get<0>(fake_quantize_float(small, one, "e4m3")),
                             small.to(at::kFloat8_e4m3fn).to(at::kFloat)),
            "");
  EXPECT_EQ(first_difference(std::get<0>(fake_quantize_float(x, one, "e5m2", false)),
                             x.to(at::kFloat8_e5m2).to(at::kFloat)),
            "");
}

TEST_F(SmallFloat, OverflowsToTheLargestValueOrToInfinityOrNaN) {
  const Tensor x = at::tensor({1e9f, -kInfinity}), one = at::ones({1});
  const auto call = [&](const char* format, bool saturate) {
    return fake_quantize_float(x, one, format, saturate);
  };
  EXPECT_EQ(first_difference(std::get<0>(call("e4m3", true)), at::tensor({448.0f, -448.0f})), "");
  EXPECT_EQ(first_difference(std::get<0>(call("e5m2", true)), at::tensor({57344.0f, -57344.0f})), "");
  EXPECT_EQ(first_difference(std::get<0>(call("e5m2", false)), at::tensor({kInfinity, -kInfinity})), "");
  EXPECT_FALSE(std::get<2>(call("e5m2", false)).item<bool>());
  const auto [y, clip_mask, saw_nan] = call("e4m3", false);
  EXPECT_TRUE(at::isnan(y).all().item<bool>());
  EXPECT_TRUE(saw_nan.item<bool>());
  EXPECT_EQ(clip_mask.item<int>(), 0b11);
}

TEST_F(SmallFloat, SaysWhichFormatsThereAre) {
  const Tensor x = at::randn({4}), one = at::ones({1});
  expect_errors({
      {"[fake_quantize_float] format: expected e4m3, e5m2, e3m2, e2m3 or e2m1, got \"fp8\"",
       [&] { fake_quantize_float(x, one, "fp8"); }},
      {"[fake_quantize_float] saturate: expected true for e2m1, which has neither infinity nor NaN, got "
       "false; or take e4m3 or e5m2",
       [&] { fake_quantize_float(x, one, "e2m1", false); }},
      {"[fake_quantize_mx] format: expected e4m3, e5m2, e3m2, e2m3, e2m1 or int8, got \"mxfp4\"",
       [&] { fake_quantize_mx(x, "mxfp4"); }},
      {"[fake_quantize_mx] x: expected float32, bfloat16 or float16, got int64; call .to(torch::kFloat)",
       [&] { fake_quantize_mx(x.to(at::kLong), "e2m1"); }},
  });
}

/// 2^(floor(log2(largest magnitude of i's block)) - largest exponent of the format).
double block_scale(const std::vector<float>& values, std::int64_t row_length, std::int64_t i,
                   int largest_exponent) {
  const std::int64_t row = i / row_length * row_length, first = row + (i - row) / 32 * 32;
  float largest = 0;
  for (std::int64_t j = first; j < std::min(first + 32, row + row_length); ++j)
    largest = std::max(largest, std::fabs(values[j]));
  return largest == 0 ? std::ldexp(1.0, -127) : std::ldexp(1.0, std::ilogb(largest) - largest_exponent);
}

TEST_F(Mx, ScalesBlocksOf32AlongTheLastAxisInEveryType) {
  for (const std::vector<std::int64_t>& shape :
       std::vector<std::vector<std::int64_t>>{{}, {1}, {70}, {5, 33}, {3, 64}, {2, 3, 40}, {0, 7}}) {
    const std::int64_t row_length = shape.empty() ? 1 : shape.back();
    for (const at::ScalarType type : kTypes) {
      const Tensor values = at::randn(shape).to(type);
      const std::vector<float> widened = values_of<float>(values.to(at::kFloat));
      for (const NamedFormat& named : kFloatFormats) {
        SCOPED_TRACE(c10::str(named.name, ", ", type, ", ", at::IntArrayRef(shape)));
        const oracle::SmallFloatSearch search(named.format);
        const int largest_exponent = std::ilogb(named.format.largest());
        expect_oracle(
            values, [&](const Tensor& x) { return fake_quantize_mx(x, named.name); },
            [&](float r, std::int64_t i) {
              const double scale = block_scale(widened, row_length, i, largest_exponent);
              const auto found = search.encode(r / scale, true);
              return Expected{static_cast<float>(oracle::decode(found.code, named.format) * scale),
                              found.clipped};
            });
      }
      SCOPED_TRACE(c10::str("int8, ", type, ", ", at::IntArrayRef(shape)));
      expect_oracle(
          values, [&](const Tensor& x) { return fake_quantize_mx(x, "int8"); },
          [&](float r, std::int64_t i) {
            const double scale = block_scale(widened, row_length, i, 0) / 64;
            const double steps = oracle::round_half_even(r / scale);
            const double bounded = std::clamp(steps, -127.0, 127.0);
            // An integer has no -0.
            return Expected{static_cast<float>(bounded * scale + 0.0), steps != bounded};
          });
    }
  }
}

TEST_F(Mx, MakesTheWholeBlockOfANaNNaN) {
  const Tensor x = at::ones({2, 40});
  x[1][3] = kNaN;
  const auto [y, clip_mask, saw_nan] = fake_quantize_mx(x, "e2m1");
  EXPECT_TRUE(saw_nan.item<bool>());
  EXPECT_EQ(at::isnan(y).sum().item<int>(), 32);
  EXPECT_TRUE(at::isnan(y[1].slice(0, 0, 32)).all().item<bool>());
}

TEST_F(Mx, GivesTheSameBitsWith1And2ThreadsWhateverTheRowLength) {
  for (const std::int64_t columns : {1, 33, 36, 64, 1001}) {
    const Tensor x = at::randn({300000 / columns, columns});
    const auto [one, two] = with_1_and_2_threads([&] { return fake_quantize_mx(x, "e2m1"); });
    EXPECT_EQ(first_difference(std::get<0>(two), std::get<0>(one)), "") << columns;
    EXPECT_EQ(first_difference(std::get<1>(two), std::get<1>(one)), "") << columns;
  }
}

}  // namespace
}  // namespace samebits::ops
