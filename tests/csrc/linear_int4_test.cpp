// csrc/layers/linear_int4.h against the oracle: packed weights of every kind, both products, threads, Meta
// tensors, and what they refuse.
#include "csrc/layers/linear_int4.h"

#include "tests/csrc/op_test.h"

namespace samebits::ops {
namespace {

class LinearInt4 : public OpTest {};

/// A weight on its grid, for the operator and for the oracle.
struct WeightCase {
  const char* why;
  std::int64_t out_features, in_features, group_size;
  std::int64_t qmin;
  bool has_zero_point, per_tensor;
};
const WeightCase kWeights[] = {
    {"symmetric, per channel", 5, 12, 0, -8, false, false},
    {"symmetric, per tensor", 17, 9, 0, -8, false, true},
    {"affine, per channel", 16, 33, 0, -8, true, false},
    {"unsigned codes", 3, 20, 0, 0, true, false},
    {"unsigned codes without zero points", 3, 20, 0, 0, false, false},
    {"groups that divide the row", 33, 64, 32, -8, false, false},
    {"affine groups with a short last one", 20, 41, 16, -8, true, false},
    {"a group longer than the row", 4, 10, 32, 0, true, false},
};

struct Weight {
  Tensor codes, scale;
  std::optional<Tensor> zero_point;
  oracle::Weights expected;

  explicit Weight(const WeightCase& c) {
    const std::int64_t groups = c.group_size == 0 ? 1 : (c.in_features + c.group_size - 1) / c.group_size;
    std::vector<std::int64_t> grid_shape = {c.out_features};
    if (c.group_size > 0) grid_shape.push_back(groups);
    if (c.per_tensor) grid_shape = {1};
    codes = at::randint(c.qmin, c.qmin + 16, {c.out_features, c.in_features}, at::kChar);
    scale = at::rand(grid_shape) * 0.1 + 0.01;
    if (c.has_zero_point) zero_point = at::randint(c.qmin, c.qmin + 16, grid_shape, at::kInt);
    expected = {c.out_features,
                c.in_features,
                c.group_size,
                values_of<std::int8_t>(codes),
                values_of<float>(scale),
                {}};
    if (c.has_zero_point) expected.zero_point = values_of<std::int32_t>(*zero_point);
  }
  PackedInt4Weight packed(const WeightCase& c) const {
    return pack_int4_weight(codes, scale, zero_point, c.qmin, c.group_size);
  }
};

Tensor after_relu(const Tensor& y, bool relu) {
  return relu ? at::relu(y) : y;
}

TEST_F(LinearInt4, GivesTheOraclesBitsOfCodesForEveryWeight) {
  for (const WeightCase& c : kWeights) {
    const Weight weight(c);
    const PackedInt4Weight packed = weight.packed(c);
    for (const bool has_bias : {false, true}) {
      const Tensor bias = at::randn({c.out_features});
      const std::optional<Tensor> bias_now = has_bias ? std::optional(bias) : std::nullopt;
      const Tensor values = at::randint(-128, 128, {3, 2, c.in_features}, at::kChar);
      const oracle::Grid grid{0.037f, -11};
      const Tensor expected =
          tensor_of(oracle::linear(values_of<std::int8_t>(values), 6, grid, weight.expected,
                                   has_bias ? values_of<float>(bias) : std::vector<float>{}),
                    {3, 2, c.out_features});
      for (const auto& [why, x] : memory_layouts(values)) {
        for (const bool relu : {false, true}) {
          SCOPED_TRACE(c10::str(c.why, has_bias ? ", bias, " : ", ", why, relu ? ", relu" : ""));
          const Tensor y = linear_int4(x, at::full({1}, grid.scale), at::full({1}, grid.zero_point, at::kInt),
                                       packed, bias_now, relu);
          EXPECT_EQ(first_difference(y, after_relu(expected, relu)), "");
        }
      }
    }
  }
}

TEST_F(LinearInt4, GivesTheOraclesBitsOfFloatsOfEveryType) {
  for (const WeightCase& c : kWeights) {
    const Weight weight(c);
    const PackedInt4Weight packed = weight.packed(c);
    for (const at::ScalarType type : {at::kFloat, at::kBFloat16, at::kHalf}) {
      const Tensor values = at::randn({4, c.in_features}).to(type), bias = at::randn({c.out_features});
      const Tensor expected = tensor_of(oracle::weight_only(values_of<float>(values.to(at::kFloat)), 4,
                                                            weight.expected, values_of<float>(bias)),
                                        {4, c.out_features});
      for (const auto& [why, x] : memory_layouts(values)) {
        SCOPED_TRACE(c10::str(c.why, ", ", type, ", ", why));
        EXPECT_EQ(first_difference(linear_weight_only(x, packed, bias), expected), "");
        EXPECT_EQ(first_difference(linear_weight_only(x, packed, bias, true), at::relu(expected)), "");
      }
    }
  }
}

TEST_F(LinearInt4, TellsTheShapesOfMetaTensorsAsTheCpuDoes) {
  for (const WeightCase& c : kWeights) {
    SCOPED_TRACE(c.why);
    const Weight weight(c);
    const PackedInt4Weight packed = weight.packed(c);
    const std::optional<Tensor> meta_zero =
        c.has_zero_point ? std::optional(weight.zero_point->to(at::kMeta)) : std::nullopt;
    const PackedInt4Weight meta = pack_int4_weight(weight.codes.to(at::kMeta), weight.scale.to(at::kMeta),
                                                   meta_zero, c.qmin, c.group_size);
    expect_same_description(meta.levels, packed.levels);
    expect_same_description(meta.scale, packed.scale);
    expect_same_description(meta.zero_levels, packed.zero_levels);
    const Tensor x = at::randn({2, 3, c.in_features});
    expect_same_description(linear_weight_only(x.to(at::kMeta), meta), linear_weight_only(x, packed));
  }
}

TEST_F(LinearInt4, GivesTheSameBitsWith1And2ThreadsForManyRowsAndForOne) {
  const WeightCase c{"", 200, 512, 32, -8, true, false};
  const PackedInt4Weight packed = Weight(c).packed(c);
  for (const std::int64_t rows : {0, 1, 77}) {
    const Tensor x = at::randn({rows, 512}), codes = at::randint(-128, 128, {rows, 512}, at::kChar);
    const auto [one, two] = with_1_and_2_threads([&] {
      return std::pair(linear_weight_only(x, packed),
                       linear_int4(codes, at::ones({1}), at::zeros({1}, at::kInt), packed));
    });
    EXPECT_EQ(first_difference(two.first, one.first), "") << rows;
    EXPECT_EQ(first_difference(two.second, one.second), "") << rows;
  }
}

TEST_F(LinearInt4, RefusesAGradientThatItDoesNotHave) {
  const WeightCase c{"", 5, 12, 0, -8, false, false};
  const PackedInt4Weight packed = Weight(c).packed(c);
  const Tensor x = at::randn({2, 12}).requires_grad_();
  const std::string error =
      "[linear_weight_only] x: expected no gradient to be wanted, got requires_grad; call under "
      "torch.no_grad(), or train with samebits::linear";
  expect_errors({{error, [&] { linear_weight_only(x, packed); }}});
  const torch::NoGradGuard no_grad;
  EXPECT_EQ(first_difference(linear_weight_only(x, packed), linear_weight_only(x.detach(), packed)), "");
}

TEST_F(LinearInt4, SaysWhichArgumentIsWrong) {
  const WeightCase c{"", 5, 12, 0, -8, false, false};
  const PackedInt4Weight packed = Weight(c).packed(c);
  const Tensor codes = at::zeros({5, 12}, at::kChar), scale = at::ones({5});
  expect_errors({
      {"[pack_int4_weight] codes: expected values in -8..7, got 8 at element 0",
       [&] { pack_int4_weight(codes + 8, scale); }},
      {"[pack_int4_weight] codes: expected values in 0..15, got -1 at element 0",
       [&] { pack_int4_weight(codes - 1, scale, std::nullopt, 0); }},
      {"[pack_int4_weight] codes: expected [out_features, in_features], got shape [60]",
       [&] { pack_int4_weight(codes.flatten(), scale); }},
      {"[pack_int4_weight] qmin: expected -8 or 0, got -7",
       [&] { pack_int4_weight(codes, scale, std::nullopt, -7); }},
      {"[pack_int4_weight] group_size: expected 0 (none) or a multiple of 4, got 6",
       [&] { pack_int4_weight(codes, scale, std::nullopt, -8, 6); }},
      {"[pack_int4_weight] zero_point: expected a value in -8..7, got 9",
       [&] { pack_int4_weight(codes, scale, at::full({5}, 9, at::kInt)); }},
      {"[linear_weight_only] levels: expected 192 elements for out_features 5, in_features 20 and group_size "
       "0, got 128; pack with pack_int4_weight",
       [&] {
         linear_weight_only(at::randn({2, 20}), packed);
       }},
      {"[linear_weight_only] bias: expected 5 values, got 4",
       [&] {
         linear_weight_only(at::randn({2, 12}), packed, at::zeros({4}));
       }},
      {"[linear_int4] x_codes: expected int8, got float32; call .to(torch::kChar)",
       [&] {
         linear_int4(at::randn({2, 12}), at::ones({1}), at::zeros({1}, at::kInt), packed);
       }},
      {"[linear_int4] x_scale: expected 1 element, got 2",
       [&] { linear_int4(codes, at::ones({2}), at::zeros({2}, at::kInt), packed); }},
  });
}

}  // namespace
}  // namespace samebits::ops
