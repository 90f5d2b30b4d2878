// The operators that look at values: observe, observe_quantize, observe_fake_quantize, observe_histogram,
// percentile_range and least_error_range.
#include "csrc/observe/observe.h"

#include "csrc/observe/histogram.h"
#include "csrc/observe/min_max.h"
#include "csrc/observe/observe_quantize.h"
#include "tests/csrc/op_test.h"

namespace samebits::ops {
namespace {

class Observe : public OpTest {};
class ObserveQuantize : public OpTest {};
class ObserveHistogram : public OpTest {};

const float kNaN = std::numeric_limits<float>::quiet_NaN();
const float kInfinity = std::numeric_limits<float>::infinity();
const at::ScalarType kTypes[] = {at::kFloat, at::kBFloat16, at::kHalf};

TEST_F(Observe, FindsRangeAndSumsOfEveryType) {
  for (const at::ScalarType type : kTypes) {
    for (const std::int64_t n : {1, 7, 4096, 4097, 100001}) {
      for (const auto& [why, x] : memory_layouts(at::randn({n, 2}).to(type))) {
        SCOPED_TRACE(c10::str(type, ", ", n, ", ", why));
        const Observed got = observe(x);
        const Tensor wide = x.to(at::kDouble);
        EXPECT_EQ(got.min.item<float>(), wide.min().item<double>());
        EXPECT_EQ(got.max.item<float>(), wide.max().item<double>());
        EXPECT_NEAR(got.sum.item<double>(), wide.sum().item<double>(), 1e-8);
        EXPECT_NEAR(got.sum_of_squares.item<double>(), wide.square().sum().item<double>(), 1e-6);
        EXPECT_FALSE(got.saw_nan.item<bool>());
        const Observed meta = observe(x.to(at::kMeta));
        expect_same_description(meta.min, got.min);
        expect_same_description(meta.sum, got.sum);
        expect_same_description(meta.sum_of_squares, got.sum_of_squares);
        expect_same_description(meta.saw_nan, got.saw_nan);
      }
    }
  }
}

TEST_F(Observe, LeavesNaNsOutAndSumsToTheSameBitsWith1And2Threads) {
  const Tensor x = at::randn({300001});
  x[200000] = kNaN;
  const auto [one, two] = with_1_and_2_threads([&] { return observe(x); });
  EXPECT_EQ(first_difference(two.sum, one.sum), "");
  EXPECT_EQ(first_difference(two.sum_of_squares, one.sum_of_squares), "");
  EXPECT_TRUE(one.saw_nan.item<bool>());
  EXPECT_TRUE(std::isfinite(one.sum.item<double>()));
  const Observed nothing = observe(at::empty({0}));
  EXPECT_EQ(nothing.min.item<float>(), kInfinity);
  EXPECT_EQ(nothing.max.item<float>(), -kInfinity);
  EXPECT_EQ(nothing.sum.item<double>(), 0.0);
}

MovingGrid fresh_state() {
  return {at::zeros({1}), at::zeros({1}), at::zeros({1}, at::kLong), at::ones({1}), at::zeros({1}, at::kInt)};
}

/// The state after each batch, written from docs/numerics.md with the oracle's roundings.
struct ExpectedState {
  float min = 0, max = 0;
  std::int64_t batches = 0;
  oracle::Grid grid;

  void take(float low, float high, const MovingGridRule& rule) {
    const auto step = [&](float old, float batch) {
      const auto c = static_cast<float>(rule.averaging);
      return oracle::add(old, oracle::multiply(c, oracle::add(batch, -old)));
    };
    min = batches == 0 ? low : step(min, low);
    max = batches == 0 ? high : step(max, high);
    ++batches;
    grid = oracle::grid_of_range(min, max, static_cast<int>(rule.qmin), static_cast<int>(rule.qmax),
                                 rule.symmetric);
  }
};

void expect_state(const MovingGrid& got, const ExpectedState& expected) {
  EXPECT_EQ(got.min.item<float>(), expected.min);
  EXPECT_EQ(got.max.item<float>(), expected.max);
  EXPECT_EQ(got.batches.item<std::int64_t>(), expected.batches);
  EXPECT_EQ(got.scale.item<float>(), expected.grid.scale);
  EXPECT_EQ(got.zero_point.item<int>(), expected.grid.zero_point);
}

TEST_F(ObserveQuantize, PutsABatchOnTheGridOfTheBatchesBeforeAndMovesTheNext) {
  for (const at::ScalarType type : kTypes) {
    for (const bool symmetric : {false, true}) {
      for (const bool relu_input : {false, true}) {
        SCOPED_TRACE(c10::str(type, symmetric ? ", symmetric" : "", relu_input ? ", relu" : ""));
        const MovingGridRule rule{0.25, -8, 7, symmetric};
        const MovingGrid state = fresh_state();
        ExpectedState expected;
        for (int batch = 0; batch < 4; ++batch) {
          const Tensor x = (at::randn({9, 11}) * (batch + 1) + 0.5).to(type);
          const Tensor seen = relu_input ? at::relu(x) : x;
          const float low = seen.min().item<float>(), high = seen.max().item<float>();
          if (batch == 0) {
            ExpectedState first;
            first.take(low, high, rule);
            expected.grid = first.grid;
          }
          const auto [codes, clip_mask, saw_nan] = observe_quantize(x, state, rule, relu_input);
          const auto [expected_codes, mask, no_nan] =
              quantize(seen, at::full({1}, expected.grid.scale),
                       at::full({1}, expected.grid.zero_point, at::kInt), -8, 7);
          EXPECT_EQ(first_difference(codes, expected_codes), "") << "batch " << batch;
          if (!relu_input) {
            EXPECT_EQ(first_difference(clip_mask, mask), "") << "batch " << batch;
          }
          expected.take(low, high, rule);
          expect_state(state, expected);
        }
      }
    }
  }
}

TEST_F(ObserveQuantize, FakeQuantizesAlikeWithAStraightThroughGradient) {
  const MovingGridRule rule{0.5, -8, 7, false};
  const MovingGrid reals_state = fresh_state(), codes_state = fresh_state();
  for (int batch = 0; batch < 3; ++batch) {
    const Tensor x = (at::randn({5, 13}) * (1 << batch)).requires_grad_();
    const Tensor scale = reals_state.scale.clone(), zero_point = reals_state.zero_point.clone();
    const auto [y, clip_mask, saw_nan] = observe_fake_quantize(x, reals_state, rule);
    const auto [codes, codes_mask, no_nan] = observe_quantize(x.detach(), codes_state, rule);
    EXPECT_EQ(first_difference(clip_mask, codes_mask), "");
    EXPECT_EQ(first_difference(reals_state.scale, codes_state.scale), "");
    if (batch > 0) {
      const auto [expected, expected_mask, none] = fake_quantize(x.detach(), scale, zero_point, -8, 7);
      EXPECT_EQ(first_difference(y, expected), "");
    }
    const Tensor grad_y = at::randn({5, 13});
    EXPECT_EQ(first_difference(torch::autograd::grad({y}, {x}, {grad_y})[0],
                               fake_quantize_backward(grad_y, clip_mask)),
              "");
  }
}

TEST_F(ObserveQuantize, GivesTheSameBitsWith1And2ThreadsAndCountsItsWrites) {
  const Tensor x = at::randn({300, 1001});
  const auto [one, two] = with_1_and_2_threads([&] {
    const MovingGrid state = fresh_state();
    const auto before = state.scale._version();
    observe_quantize(x, state, {0.1, -128, 127, false});
    const auto out = observe_quantize(x * 2, state, {0.1, -128, 127, false});
    EXPECT_GT(state.scale._version(), before);
    return std::pair(std::get<0>(out), state.scale);
  });
  EXPECT_EQ(first_difference(two.first, one.first), "");
  EXPECT_EQ(first_difference(two.second, one.second), "");
}

TEST_F(ObserveQuantize, LeavesTheStateWhereNoNumberWasSeenAndWhereABatchIsRefused) {
  const MovingGridRule rule{0.5, -8, 7, false};
  const MovingGrid state = fresh_state();
  EXPECT_TRUE(std::get<2>(observe_quantize(at::full({3}, kNaN), state, rule)).item<bool>());
  observe_quantize(at::empty({0}), state, rule);
  expect_errors(
      {{c10::str("[observe_quantize] x: expected values within ±", std::numeric_limits<float>::max() / 4,
                 ", got 1 to inf; look at the batch and the learning rate"),
        [&] {
          observe_quantize(at::tensor({1.0f, kInfinity}), state, rule);
        }}});
  EXPECT_EQ(state.batches.item<std::int64_t>(), 0);
  EXPECT_EQ(state.scale.item<float>(), 1.0f);
  const auto [codes, mask, saw_nan] = observe_quantize(at::tensor({kNaN, 1.0f, -1.0f}), state, rule);
  EXPECT_TRUE(saw_nan.item<bool>());
  EXPECT_EQ(state.batches.item<std::int64_t>(), 1);
  EXPECT_EQ(state.min.item<float>(), -1.0f);
}

TEST_F(ObserveQuantize, SaysWhichArgumentIsWrong) {
  const Tensor x = at::randn({4});
  MovingGrid ints = fresh_state(), pair = fresh_state(), trained = fresh_state();
  ints.batches = at::zeros({1}, at::kInt);
  pair.scale = at::ones({2});
  trained.min.requires_grad_();
  expect_errors({
      {"[observe_quantize] batches: expected int64, got int32; call .to(torch::kLong)",
       [&] { observe_quantize(x, ints, {}); }},
      {"[observe_quantize] scale: expected 1 element, got 2", [&] { observe_quantize(x, pair, {}); }},
      {"[observe_fake_quantize] min: expected a buffer, got a tensor that requires grad; it is written in "
       "place",
       [&] { observe_fake_quantize(x, trained, {}); }},
      {"[observe_quantize] averaging: expected a value above 0 and at most 1, got 0",
       [&] { observe_quantize(x, fresh_state(), {0.0}); }},
      {"[observe_quantize] qmin, qmax: expected qmin < 0 < qmax for a symmetric grid, got 0 and 127",
       [&] {
         observe_quantize(x, fresh_state(), {0.1, 0, 127, true});
       }},
  });
}

TEST_F(ObserveHistogram, CountsEveryElementOverBatchesThatWidenTheRange) {
  const Tensor counts = at::zeros({2048}, at::kLong), range = at::zeros({2});
  std::int64_t elements = 0;
  for (const double size : {1.0, 3.0, 0.5}) {
    const Tensor x = at::randn({70, 1001}) * size;
    EXPECT_FALSE(observe_histogram(x, counts, range).item<bool>());
    elements += x.numel();
    EXPECT_EQ(counts.sum().item<std::int64_t>(), elements);
    EXPECT_LE(range[0].item<float>(), x.min().item<float>());
    EXPECT_GE(range[1].item<float>(), x.max().item<float>());
  }
}

TEST_F(ObserveHistogram, CountsABatchAsTorchDoesAndAlikeWith1And2Threads) {
  // Multiples of 2^-10 within [-1, 1]: every value lies exactly on the edge of a bin, in any arithmetic.
  const Tensor x = at::randint(-1024, 1025, {100000}).to(at::kFloat) / 1024;
  x[0] = -1.0f;
  x[1] = 1.0f;
  const auto [one, two] = with_1_and_2_threads([&] {
    const Tensor counts = at::zeros({2048}, at::kLong), range = at::zeros({2});
    observe_histogram(x, counts, range);
    return counts;
  });
  EXPECT_EQ(first_difference(two, one), "");
  EXPECT_EQ(first_difference(one, at::histc(x, 2048, -1, 1).to(at::kLong)), "");
}

TEST_F(ObserveHistogram, FindsTheRangesThatAnObserverWants) {
  const Tensor x = at::randn({100000});
  const Tensor counts = at::zeros({2048}, at::kLong), range = at::zeros({2});
  observe_histogram(x, counts, range);
  const auto [low, high] = percentile_range(counts, range, 0.99);
  EXPECT_NEAR(low.item<float>(), at::quantile(x, 0.01).item<float>(), 0.01);
  EXPECT_NEAR(high.item<float>(), at::quantile(x, 0.99).item<float>(), 0.01);
  const auto error_on = [&](const Tensor& min, const Tensor& max) {
    const auto [scale, zero_point] = grid_of_range(min.reshape({1}), max.reshape({1}), -8, 7, false);
    return (std::get<0>(fake_quantize(x, scale, zero_point, -8, 7)) - x).square().mean().item<double>();
  };
  const auto [min, max, error] = least_error_range(counts, range, -8, 7, false);
  EXPECT_NEAR(error.item<double>(), error_on(min, max), 0.02 * error.item<double>());
  EXPECT_LT(error_on(min, max), 0.7 * error_on(range[0], range[1]));
}

TEST_F(ObserveHistogram, SaysWhichArgumentIsWrong) {
  const Tensor x = at::randn({4}), counts = at::zeros({2048}, at::kLong), range = at::zeros({2});
  expect_errors({
      {"[observe_histogram] counts: expected 2048 bins, got 7",
       [&] { observe_histogram(x, at::zeros({7}, at::kLong), range); }},
      {"[observe_histogram] range: expected 2 values, low and high, got 3",
       [&] { observe_histogram(x, counts, at::zeros({3})); }},
      {"[observe_histogram] x: expected finite values, got -inf to 1; look at the batch and the learning "
       "rate",
       [&] {
         observe_histogram(at::tensor({1.0f, -kInfinity}), counts, range);
       }},
      {"[percentile_range] p: expected a value in 0.5..1, got 0.25",
       [&] { percentile_range(counts, range, 0.25); }},
      {"[least_error_range] qmin, qmax: expected qmin < 0 < qmax for a symmetric grid, got 0 and 15",
       [&] { least_error_range(counts, range, 0, 15, true); }},
  });
  EXPECT_EQ(counts.sum().item<std::int64_t>(), 0);
}

}  // namespace
}  // namespace samebits::ops
