// The operators between values, ranges, grids and codes: quantize, quantize_stochastic, dequantize, min_max,
// grid_of_range, pack_int4.
#include "csrc/quantize/quantize.h"
#include "csrc/formats/pack_int4.h"
#include "csrc/observe/min_max.h"
#include "csrc/quantize/dequantize.h"
#include "csrc/quantize/stochastic.h"
#include "tests/csrc/op_test.h"

namespace samebits::ops {
namespace {

class Quantize : public OpTest {};
class QuantizeStochastic : public OpTest {};
class Dequantize : public OpTest {};
class MinMax : public OpTest {};
class GridOfRange : public OpTest {};
class PackInt4 : public OpTest {};

const float kNaN = std::numeric_limits<float>::quiet_NaN();
const float kInfinity = std::numeric_limits<float>::infinity();

Tensor ints(std::vector<std::int64_t> values) {
  return at::tensor(values, at::kInt);
}
Tensor codes_tensor(std::vector<std::int64_t> values) {
  return at::tensor(values, at::kChar);
}

TEST_F(Quantize, GivesTheOraclesCodesInEveryLayoutAndRange) {
  for (const Layout& layout : kLayouts) {
    for (const CodeRange& range : kCodeRanges) {
      const GridTensors grids(layout, range);
      const Tensor values = values_for(layout, range);
      const Tensor expected = at::empty(layout.shape, at::kChar);
      for (std::int64_t i = 0; i < values.numel(); ++i)
        expected.mutable_data_ptr<std::int8_t>()[i] = static_cast<std::int8_t>(
            oracle::code(values.const_data_ptr<float>()[i], grids.grid(range, layout.grid_index(i))));
      for (const auto& [why, x] : memory_layouts(values)) {
        SCOPED_TRACE(c10::str(layout.why, ", ", range.qmin, "..", range.qmax, ", ", why));
        const auto [codes, clip_mask, saw_nan] = quantize(x, grids.scale, grids.zero_point, range.qmin,
                                                          range.qmax, layout.axis, layout.group_size);
        EXPECT_EQ(first_difference(codes, expected), "");
        EXPECT_EQ(clip_mask.numel(), (x.numel() + 7) / 8);
        EXPECT_FALSE(saw_nan.item<bool>());
      }
    }
  }
}

TEST_F(Quantize, GivesANaNTheCodeOfZeroAndMarksIt) {
  const auto [codes, clip_mask, saw_nan] =
      quantize(at::tensor({1.0f, kNaN, kInfinity, -kInfinity}), at::ones({1}), ints({3}), -8, 7);
  EXPECT_EQ(first_difference(codes, codes_tensor({4, 3, 7, -8})), "");
  EXPECT_EQ(clip_mask.item<int>(), 0b1110);
  EXPECT_TRUE(saw_nan.item<bool>());
}

TEST_F(Quantize, GivesTheSameBitsWith1And2Threads) {
  const Tensor x = at::randn({200, 1003}), scale = at::rand({200}) * 0.02 + 0.01,
               zero_point = at::zeros({200}, at::kInt);
  const auto [one, two] = with_1_and_2_threads([&] { return quantize(x, scale, zero_point, -128, 127); });
  EXPECT_EQ(first_difference(std::get<0>(two), std::get<0>(one)), "");
  EXPECT_EQ(first_difference(std::get<1>(two), std::get<1>(one)), "");
}

TEST_F(QuantizeStochastic, GivesTheOraclesCodesForItsSeedAndStreamInEveryLayoutAndType) {
  const CodeRange range{-8, 7};
  for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kHalf}) {
    for (const Layout& layout : kLayouts) {
      const GridTensors grids(layout, range);
      const Tensor values = values_for(layout, range).to(type), expected = at::empty(layout.shape, at::kChar);
      const std::vector<float> widened = values_of<float>(values.to(at::kFloat));
      for (std::int64_t i = 0; i < values.numel(); ++i) {
        const oracle::Grid grid = grids.grid(range, layout.grid_index(i));
        const double position = oracle::stochastic_position(widened[i], oracle::philox_word(7, 3, i), grid);
        expected.mutable_data_ptr<std::int8_t>()[i] =
            static_cast<std::int8_t>(std::clamp(position, -8.0, 7.0));
      }
      for (const auto& [why, x] : memory_layouts(values)) {
        SCOPED_TRACE(c10::str(type, ", ", layout.why, ", ", why));
        const auto [codes, clip_mask, saw_nan] = quantize_stochastic(
            {x, grids.scale, grids.zero_point, -8, 7, 7, 3, layout.axis, layout.group_size});
        EXPECT_EQ(first_difference(codes, expected), "");
        EXPECT_FALSE(saw_nan.item<bool>());
      }
    }
  }
}

TEST_F(QuantizeStochastic, RepeatsAtAnyNumberOfThreadsAndHasTheMeanOfTheQuotient) {
  const Tensor x = at::full({200000}, 0.3f), one = at::ones({1}), zero = ints({0});
  const auto call = [&](std::int64_t seed, std::int64_t stream) {
    return std::get<0>(quantize_stochastic({x, one, zero, -8, 7, seed, stream}));
  };
  const auto [first, second] = with_1_and_2_threads([&] { return call(1, 0); });
  EXPECT_EQ(first_difference(second, first), "");
  EXPECT_NEAR(first.to(at::kFloat).mean().item<float>(), 0.3, 0.006);
  EXPECT_NE(first_difference(call(2, 0), first), "");
  EXPECT_NE(first_difference(call(1, 1), first), "");
  expect_errors(
      {{"[quantize_stochastic] x: expected float32, bfloat16 or float16, got int64; call "
        ".to(torch::kFloat)",
        [=] {
          quantize_stochastic({x.to(at::kLong), one, zero, -8, 7, 0});
        }}});
}

TEST_F(Dequantize, GivesTheOraclesRealsInEveryLayout) {
  const CodeRange range{-128, 127};
  for (const Layout& layout : kLayouts) {
    const GridTensors grids(layout, range);
    const Tensor values = at::randint(-128, 128, layout.shape, at::kChar), expected = at::empty(layout.shape);
    for (std::int64_t i = 0; i < values.numel(); ++i)
      expected.mutable_data_ptr<float>()[i] = oracle::dequantize(values.const_data_ptr<std::int8_t>()[i],
                                                                 grids.grid(range, layout.grid_index(i)));
    for (const auto& [why, codes] : memory_layouts(values)) {
      SCOPED_TRACE(c10::str(layout.why, ", ", why));
      const Tensor y = dequantize(codes, grids.scale, grids.zero_point, layout.axis, layout.group_size);
      EXPECT_EQ(first_difference(y, expected), "");
      expect_same_description(dequantize(codes.to(at::kMeta), grids.scale.to(at::kMeta),
                                         grids.zero_point.to(at::kMeta), layout.axis, layout.group_size),
                              y);
    }
  }
}

TEST_F(Quantize, TellsTheShapesOfMetaTensorsAsTheCpuDoes) {
  for (const auto& [why, x] : memory_layouts(at::randn({2, 3, 4, 5}))) {
    SCOPED_TRACE(why);
    const auto [codes, clip_mask, saw_nan] = quantize(x, at::ones({3}), ints({0, 0, 0}), -8, 7, 1);
    const auto [meta_codes, meta_mask, meta_saw_nan] =
        quantize(x.to(at::kMeta), at::ones({3}, at::kMeta), ints({0, 0, 0}).to(at::kMeta), -8, 7, 1);
    expect_same_description(meta_codes, codes);
    expect_same_description(meta_mask, clip_mask);
    expect_same_description(meta_saw_nan, saw_nan);
  }
}

/// Rows and groups of a tensor, with the ranges written out.
struct RangeCase {
  const char* why;
  std::int64_t rows, group_size;
  std::vector<std::int64_t> shape;
  std::vector<float> min, max;
};
const RangeCase kRangeCases[] = {
    {"the whole tensor", 1, 0, {1}, {-9}, {8}},
    {"rows", 2, 0, {2}, {-4, -9}, {5, 8}},
    {"groups with a short last one", 2, 2, {2, 3}, {-4, -2, 5, -9, 0, 6}, {1, 3, 5, 7, 8, 6}},
    {"a group longer than the row", 2, 8, {2, 1}, {-4, -9}, {5, 8}},
    {"rows of other lengths than the tensor's own", 5, 0, {5}, {-4, -2, -9, 7, 0}, {1, 3, 5, 8, 6}},
};

TEST_F(MinMax, FindsTheRangeOfTheTensorOfRowsAndOfGroups) {
  const Tensor values = tensor_of({1, -4, 3, -2, 5, -9, 7, 8, 0, 6}, {2, 5});
  for (const RangeCase& c : kRangeCases) {
    for (const auto& [why, memory] : memory_layouts(values)) {
      SCOPED_TRACE(c10::str(c.why, ", ", why));
      const auto [min, max, saw_nan] = min_max(memory, c.rows, c.group_size);
      EXPECT_EQ(first_difference(min, tensor_of(c.min, c.shape)), "");
      EXPECT_EQ(first_difference(max, tensor_of(c.max, c.shape)), "");
      EXPECT_FALSE(saw_nan.item<bool>());
      const auto [meta_min, meta_max, meta_saw_nan] = min_max(memory.to(at::kMeta), c.rows, c.group_size);
      expect_same_description(meta_min, min);
      expect_same_description(meta_max, max);
      expect_same_description(meta_saw_nan, saw_nan);
    }
  }
}

TEST_F(MinMax, LeavesNaNsOutAndSaysSo) {
  for (const std::int64_t place : {0, 3, 9}) {
    for (const std::int64_t rows : {1, 2}) {
      SCOPED_TRACE(c10::str("NaN at ", place, ", rows ", rows));
      const Tensor x = at::arange(10, at::kFloat);
      x[place] = kNaN;
      const auto [min, max, saw_nan] = min_max(x, rows);
      EXPECT_TRUE(saw_nan.item<bool>());
      EXPECT_EQ(min[0].item<float>(), place == 0 ? 1.0f : 0.0f);
      EXPECT_EQ(max[rows - 1].item<float>(), place == 9 ? 8.0f : 9.0f);
    }
  }
}

TEST_F(MinMax, AgreesWithTorchWith1And2ThreadsOnLargeTensors) {
  const Tensor x = at::randn({257, 1031});
  const auto [whole_one, whole_two] = with_1_and_2_threads([&] { return min_max(x); });
  const auto [rows_one, rows_two] = with_1_and_2_threads([&] { return min_max(x, 257); });
  for (const Range& whole : {whole_one, whole_two}) {
    EXPECT_EQ(std::get<0>(whole).item<float>(), x.min().item<float>());
    EXPECT_EQ(std::get<1>(whole).item<float>(), x.max().item<float>());
  }
  for (const Range& rows : {rows_one, rows_two}) {
    EXPECT_EQ(first_difference(std::get<0>(rows), x.amin(1)), "");
    EXPECT_EQ(first_difference(std::get<1>(rows), x.amax(1)), "");
  }
}

TEST_F(GridOfRange, GivesTheOraclesGridForEveryElement) {
  const Tensor low = at::randn({4, 3}) * 5 - 3, high = low + at::rand({4, 3}) * 20;
  for (const CodeRange& range : kCodeRanges) {
    for (const bool symmetric : {false, true}) {
      if (symmetric && range.qmin >= 0) continue;
      SCOPED_TRACE(c10::str(range.qmin, "..", range.qmax, symmetric ? ", symmetric" : ", affine"));
      const auto [scale, zero_point] = grid_of_range(low, high, range.qmin, range.qmax, symmetric);
      for (std::int64_t i = 0; i < low.numel(); ++i) {
        const oracle::Grid grid =
            oracle::grid_of_range(values_of<float>(low)[i], values_of<float>(high)[i],
                                  static_cast<int>(range.qmin), static_cast<int>(range.qmax), symmetric);
        EXPECT_EQ(values_of<float>(scale)[i], grid.scale);
        EXPECT_EQ(values_of<std::int32_t>(zero_point)[i], grid.zero_point);
      }
      const auto [meta_scale, meta_zero_point] =
          grid_of_range(low.to(at::kMeta), high.to(at::kMeta), range.qmin, range.qmax, symmetric);
      expect_same_description(meta_scale, scale);
      expect_same_description(meta_zero_point, zero_point);
    }
  }
}

TEST_F(GridOfRange, ReadsTransposedRanges) {
  const Tensor low = -at::rand({3, 2}), high = at::rand({3, 2});
  const auto [scale, zero_point] = grid_of_range(low.t(), high.t(), -8, 7, false);
  const auto [expected_scale, expected_zero_point] = grid_of_range(low, high, -8, 7, false);
  EXPECT_EQ(first_difference(scale, expected_scale.t()), "");
  EXPECT_EQ(first_difference(zero_point, expected_zero_point.t()), "");
}

TEST_F(PackInt4, PutsTwoCodesIntoAByteTheFirstIntoTheLowNibble) {
  const Tensor codes = codes_tensor({1, -8, 7, -1, 5});
  const Tensor packed = pack_int4(codes);
  EXPECT_EQ(first_difference(packed, at::tensor({0x81, 0xF7, 0x05}, at::kByte)), "");
  EXPECT_EQ(first_difference(unpack_int4(packed, 5), codes), "");
  EXPECT_EQ(first_difference(unpack_int4(packed, 6), codes_tensor({1, -8, 7, -1, 5, 0})), "");
}

TEST_F(PackInt4, GivesEveryTensorBackWhateverItsMemoryLayout) {
  for (const std::int64_t columns : {0, 1, 6, 7}) {
    const Tensor values = at::randint(-8, 8, {3, columns}, at::kChar);
    for (const auto& [why, codes] : memory_layouts(values)) {
      SCOPED_TRACE(c10::str(columns, " columns, ", why));
      const Tensor packed = pack_int4(codes);
      EXPECT_EQ(first_difference(unpack_int4(packed, 3 * columns).reshape({3, columns}), values), "");
      expect_same_description(pack_int4(codes.to(at::kMeta)), packed);
      expect_same_description(unpack_int4(packed.to(at::kMeta), 3 * columns),
                              unpack_int4(packed, 3 * columns));
    }
  }
}

TEST_F(PackInt4, SaysWhichArgumentIsWrong) {
  expect_errors({
      {"[pack_int4] codes: expected values in -8..7, got 8 at element 2",
       [] {
         pack_int4(codes_tensor({0, 7, 8}));
       }},
      {"[pack_int4] codes: expected values in -8..7, got -9 at element 0",
       [] { pack_int4(codes_tensor({-9})); }},
      {"[pack_int4] codes: expected int8, got uint8; call .to(torch::kChar)",
       [] { pack_int4(at::zeros({2}, at::kByte)); }},
      {"[unpack_int4] n: expected 5 or 6 codes of 3 bytes, got 4",
       [] { unpack_int4(at::zeros({3}, at::kByte), 4); }},
      {"[unpack_int4] n: expected 5 or 6 codes of 3 bytes, got 7",
       [] { unpack_int4(at::zeros({3}, at::kByte), 7); }},
      {"[unpack_int4] packed: expected uint8, got int8; call .to(torch::kByte)",
       [] { unpack_int4(at::zeros({3}, at::kChar), 6); }},
  });
}

TEST_F(Quantize, SaysWhichArgumentIsWrong) {
  const Tensor x = at::randn({2, 3}), one = at::ones({1}), zero = ints({0}),
               codes = at::zeros({2, 3}, at::kChar);
  expect_errors({
      {"[quantize] x: expected float32, bfloat16 or float16, got int64; call .to(torch::kFloat)",
       [=] { quantize(x.to(at::kLong), one, zero, -8, 7); }},
      {"[quantize] scale: expected 1 value or 2 (one a channel of axis 0), got 3",
       [=] {
         quantize(x, at::ones({3}), ints({0, 0, 0}), -8, 7);
       }},
      {"[quantize] zero_point: expected a value in -8..7, got 9",
       [=] { quantize(x, one, ints({9}), -8, 7); }},
      {"[quantize] scale: expected a finite value >= 2^-126, got nan; observe at least one batch before "
       "quantizing",
       [=] { quantize(x, one * kNaN, zero, -8, 7); }},
      {"[dequantize] codes: expected int8, got float32; call .to(torch::kChar)",
       [=] { dequantize(x, one, zero); }},
      {"[dequantize] scale: expected 1 value or 3 (one a channel of axis 1), got 2",
       [=] {
         dequantize(codes, at::ones({2}), ints({0, 0}), 1);
       }},
      {"[dequantize] zero_point: expected a value in -128..127, got 128",
       [=] { dequantize(codes, one, ints({128})); }},
  });
}

TEST_F(MinMax, SaysWhichArgumentIsWrong) {
  const Tensor x = at::randn({2, 3}), one = at::ones({1});
  expect_errors({
      {"[min_max] x: expected float32, bfloat16 or float16, got float64; call .to(torch::kFloat)",
       [=] { min_max(x.to(at::kDouble)); }},
      {"[min_max] rows: expected a divisor of the 6 elements, got 4", [=] { min_max(x, 4); }},
      {"[min_max] rows: expected a divisor of the 6 elements, got 0", [=] { min_max(x, 0); }},
      {"[min_max] group_size: expected 0 (none) or more, got -1", [=] { min_max(x, 1, -1); }},
  });
}

TEST_F(GridOfRange, SaysWhichArgumentIsWrong) {
  const Tensor one = at::ones({1});
  const std::string observe = "; observe at least one batch, and look for infinities in it";
  expect_errors({
      {"[grid_of_range] min: expected float32, got float64; call .to(torch::kFloat)",
       [=] { grid_of_range(one.to(at::kDouble), one, -8, 7, false); }},
      {"[grid_of_range] max: expected float32, got float64; call .to(torch::kFloat)",
       [=] { grid_of_range(one, one.to(at::kDouble), -8, 7, false); }},
      {"[grid_of_range] max: expected the shape of min, [1], got [2]",
       [=] { grid_of_range(one, at::ones({2}), -8, 7, false); }},
      {"[grid_of_range] qmin, qmax: expected -128 <= qmin < qmax <= 127, got -8 and 200",
       [=] { grid_of_range(one, one, -8, 200, false); }},
      {"[grid_of_range] qmin, qmax: expected qmin < 0 < qmax for a symmetric grid, got 0 and 127",
       [=] { grid_of_range(one, one, 0, 127, true); }},
      {"[grid_of_range] min, max: expected finite values, got -1 and inf" + observe,
       [=] { grid_of_range(-one, one * kInfinity, -8, 7, false); }},
      {"[grid_of_range] min, max: expected finite values, got nan and 1" + observe,
       [=] { grid_of_range(one * kNaN, one, -8, 7, false); }},
      {"[grid_of_range] min, max: expected finite values, got inf and -inf" +
           observe,  // what no value at all gives
       [=] {
         const auto [min, max, saw_nan] = min_max(at::empty({0}));
         grid_of_range(min, max, -8, 7, false);
       }},
  });
}

}  // namespace
}  // namespace samebits::ops
