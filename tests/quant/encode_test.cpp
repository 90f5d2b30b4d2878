// quant/: grids, codes and packed forms of random weights against the oracle's, for every granularity; what
// is refused.
#include "quant/encode.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <stdexcept>

#include "quant/pack.h"
#include "tests/kernels/layers.h"

namespace samebits::quant {
namespace {

using kernels::Random;

const Encoding kEncodings[] = {
    {8, -127, 127, true, Granularity::kPerChannel, 0}, {8, -128, 127, true, Granularity::kPerTensor, 0},
    {4, -8, 7, true, Granularity::kPerChannel, 0},     {7, -64, 63, false, Granularity::kPerTensor, 0},
    {4, -8, 7, false, Granularity::kPerChannel, 0},    {2, -2, 1, true, Granularity::kPerChannel, 0},
    {4, -8, 7, true, Granularity::kPerGroup, 32},      {4, -8, 7, false, Granularity::kPerGroup, 32},
    {8, -127, 127, true, Granularity::kPerGroup, 4},   {4, -8, 7, false, Granularity::kPerGroup, 128},
};

/// The scale that element (row, column) of a weight has.
std::int64_t grid_index(const Encoding& encoding, std::int64_t row_length, std::int64_t row,
                        std::int64_t column) {
  if (encoding.granularity == Granularity::kPerTensor) return 0;
  if (encoding.granularity == Granularity::kPerChannel) return row;
  const std::int64_t groups = (row_length + encoding.group_size - 1) / encoding.group_size;
  return row * groups + column / encoding.group_size;
}

/// The oracle's encoding, element by element.
QuantizedTensor expected_tensor(const std::vector<float>& values, std::int64_t rows, std::int64_t row_length,
                                const Encoding& encoding) {
  QuantizedTensor tensor{.encoding = encoding, .shape = {rows, row_length}};
  const std::int64_t grids = grid_index(encoding, row_length, rows - 1, row_length - 1) + 1;
  std::vector<float> low(grids, std::numeric_limits<float>::infinity()), high(grids, -low[0]);
  for (std::int64_t i = 0; i < rows * row_length; ++i) {
    const std::int64_t grid = grid_index(encoding, row_length, i / row_length, i % row_length);
    low[grid] = std::min(low[grid], values[i]);
    high[grid] = std::max(high[grid], values[i]);
  }
  std::vector<oracle::Grid> list;
  for (std::int64_t i = 0; i < grids; ++i) {
    list.push_back(oracle::grid_of_range(low[i], high[i], encoding.qmin, encoding.qmax, encoding.symmetric));
    tensor.scale.push_back(list.back().scale);
    if (!encoding.symmetric) tensor.zero_point.push_back(list.back().zero_point);
  }
  for (std::int64_t i = 0; i < rows * row_length; ++i)
    tensor.codes.push_back(static_cast<std::int8_t>(
        oracle::code(values[i], list[grid_index(encoding, row_length, i / row_length, i % row_length)])));
  return tensor;
}

oracle::Weights oracle_weights(const QuantizedTensor& tensor) {
  return {.n = tensor.rows(),
          .k = tensor.row_length(),
          .group_size = tensor.encoding.group_size,
          .codes = tensor.codes,
          .scale = tensor.scale,
          .zero_point = tensor.zero_point};
}

TEST(Encode, HasTheGridsAndCodesOfTheOracle) {
  Random random(1);
  for (const Encoding& encoding : kEncodings) {
    for (const auto& [rows, row_length] :
         {std::pair<std::int64_t, std::int64_t>{1, 1}, {1, 40}, {16, 36}, {37, 100}}) {
      SCOPED_TRACE(to_text(encoding) + ", " + std::to_string(rows) + " x " + std::to_string(row_length));
      const std::vector<float> values = kernels::random_floats(random, rows * row_length, 2.0f);
      const QuantizedTensor got = encode(values.data(), {rows, row_length}, encoding);
      const QuantizedTensor expected = expected_tensor(values, rows, row_length, encoding);
      EXPECT_EQ(got.codes, expected.codes);
      EXPECT_EQ(got.scale, expected.scale);
      EXPECT_EQ(got.zero_point, expected.zero_point);
      EXPECT_EQ(got.encoding, encoding);
    }
  }
}

TEST(Encode, IsWhatTrainingPacksByAnyRangesOfRows) {
  Random random(2);
  for (const Encoding& encoding : kEncodings) {
    for (const kernels::WeightOrder order :
         {kernels::WeightOrder::kGemm, kernels::WeightOrder::kInt4, kernels::WeightOrder::kRows}) {
      if (order == kernels::WeightOrder::kInt4 && linear_order(encoding) != order) continue;
      SCOPED_TRACE(to_text(encoding));
      const std::int64_t rows = 75, row_length = 52;
      const std::vector<float> values = kernels::random_floats(random, rows * row_length, 2.0f);
      const QuantizedTensor tensor = encode(values.data(), {rows, row_length}, encoding);
      const kernels::PackedWeight expected = kernels::pack(oracle_weights(tensor), order);
      std::vector<float> scale(tensor.scale.size());
      std::vector<std::int32_t> zero_point(scale.size());
      const WeightView view{values.data(), rows, row_length, scale.data(),
                            encoding.symmetric ? nullptr : zero_point.data()};
      const bool is_one = encoding.granularity == Granularity::kPerTensor;
      if (is_one) find_grids(encoding, view, 0, rows);
      WeightPacker packer(encoding, view, order);
      std::vector<std::int8_t> buffer;
      for (const auto& [first, last] : kernels::random_pieces(random, rows, 16))
        EXPECT_FALSE(packer.pack_rows(first, last, !is_one, buffer));
      const kernels::PackedWeight trained = packer.take(), shipped = pack(tensor, order);
      for (const kernels::PackedWeight* got : {&trained, &shipped}) {
        EXPECT_EQ(got->codes, expected.codes);
        EXPECT_EQ(got->sums, expected.sums);
        EXPECT_EQ(got->scale, expected.scale);
        EXPECT_EQ(got->zero_levels, expected.zero_levels);
      }
    }
  }
}

TEST(LinearOrder, Is4BitsForGroupsOf4BitsOrLess) {
  for (const Encoding& encoding : kEncodings)
    EXPECT_EQ(linear_order(encoding) == kernels::WeightOrder::kInt4,
              encoding.group_size > 0 && encoding.bits <= 4)
        << to_text(encoding);
}

TEST(EncodeRows, MarkWhatTheyClipOnGivenGrids) {
  Random random(3);
  const Encoding encoding{4, -8, 7, true, Granularity::kPerChannel, 0};
  const std::int64_t rows = 33, row_length = 21;
  const std::vector<float> values = kernels::random_floats(random, rows * row_length, 2.0f);
  std::vector<float> scale(rows, 0.15f);
  const WeightView view{values.data(), rows, row_length, scale.data(), nullptr};
  std::vector<std::int8_t> codes(values.size());
  std::vector<std::uint8_t> mask((values.size() + 7) / 8);
  for (const auto& [first, last] : {std::pair{0, 16}, {16, 33}})
    encode_rows(encoding, view, first, last, codes.data() + first * row_length,
                mask.data() + first * row_length / 8);
  const oracle::Grid grid{0.15f, 0, -8, 7};
  std::int64_t clipped = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(codes[i], oracle::code(values[i], grid));
    ASSERT_EQ(mask[i / 8] >> i % 8 & 1, oracle::is_clipped(values[i], grid) ? 1 : 0) << i;
    clipped += oracle::is_clipped(values[i], grid) ? 1 : 0;
  }
  EXPECT_GT(clipped, 10);
}

TEST(Decode, GivesTheRealOfEachCode) {
  Random random(5);
  for (const Encoding& encoding : kEncodings) {
    const std::int64_t rows = 5, row_length = 40;
    const std::vector<float> values = kernels::random_floats(random, rows * row_length, 2.0f);
    const QuantizedTensor tensor = encode(values.data(), {rows, row_length}, encoding);
    std::vector<float> reals(values.size());
    decode(tensor, reals.data());
    for (std::int64_t i = 0; i < rows * row_length; ++i) {
      const std::int64_t index = grid_index(encoding, row_length, i / row_length, i % row_length);
      const oracle::Grid grid{tensor.scale[index], encoding.symmetric ? 0 : tensor.zero_point[index],
                              encoding.qmin, encoding.qmax};
      ASSERT_EQ(reals[i], oracle::dequantize(tensor.codes[i], grid)) << to_text(encoding) << " " << i;
    }
  }
}

std::string error_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "no error";
}

TEST(Encode, RefusesWhatHasNoCodes) {
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              infinity = std::numeric_limits<float>::infinity();
  for (const Encoding& encoding : kEncodings) {
    const auto with = [&](float value) {
      return error_of([&] { encode(std::vector<float>{1.0f, value, 2.0f, 3.0f}.data(), {2, 2}, encoding); });
    };
    EXPECT_EQ(with(1.0f), "no error");
    EXPECT_EQ(with(nan), "[quant] weight: expected finite values, got NaN");
    EXPECT_EQ(with(-infinity), "[quant] weight: expected finite values, got infinity");
    EXPECT_EQ(error_of([&] {
                encode(nullptr, {0, 3}, encoding);
              }),
              "[quant] weight: expected at least 1 element, got none");
  }
}

TEST(Pack, RefusesArraysThatDoNotFitTheEncoding) {
  const QuantizedTensor right{.encoding = {4, -8, 7, false, Granularity::kPerGroup, 4},
                              .shape = {2, 6},
                              .codes = std::vector<std::int8_t>(12),
                              .scale = std::vector<float>(4, 1.0f),
                              .zero_point = std::vector<std::int32_t>(4)};
  const auto error = [&](auto change) {
    QuantizedTensor tensor = right;
    change(tensor);
    return error_of([&] { pack(tensor, kernels::WeightOrder::kGemm); });
  };
  EXPECT_EQ(error([](QuantizedTensor&) {}), "no error");
  EXPECT_EQ(error([](QuantizedTensor& t) { t.codes.pop_back(); }),
            "[quant] codes: expected 12 values for this encoding, got 11");
  EXPECT_EQ(error([](QuantizedTensor& t) { t.scale.resize(2); }),
            "[quant] scale: expected 4 values for this encoding, got 2");
  EXPECT_EQ(error([](QuantizedTensor& t) { t.zero_point.clear(); }),
            "[quant] zero_point: expected 4 values for this encoding, got 0");
}

TEST(EncodingText, NamesBitsSymmetryAndGranularity) {
  EXPECT_EQ(to_text(kEncodings[0]), "int8 per channel");
  EXPECT_EQ(to_text(kEncodings[3]), "int7 affine");
  EXPECT_EQ(to_text(kEncodings[7]), "int4 affine groups of 32");
}

}  // namespace
}  // namespace samebits::quant
