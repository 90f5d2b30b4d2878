// planner/plan.h: policies on small models against the enumeration of all plans, and what a budget is
// refused with.
#include "planner/plan.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <stdexcept>

namespace samebits::planner {
namespace {

std::string error_of(const std::function<void()>& run) {
  try {
    run();
  } catch (const std::invalid_argument& error) {
    return error.what();
  }
  return "no error";
}

/// `layers` layers of 4, 8, 16 and 32 bits. `noise`: losses and times need not fall and rise with the bits.
std::vector<LayerChoices> random_layers(unsigned seed, int layers, double noise) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(0.0, 1.0);
  std::vector<LayerChoices> all;
  for (int i = 0; i < layers; ++i) {
    const double weights = std::floor(std::exp(5.0 + 5.0 * uniform(random)));
    const double loss = std::exp(4.0 * uniform(random));
    LayerChoices layer{"layer" + std::to_string(i), {}};
    for (const int bits : {4, 8, 16, 32})
      layer.choices.push_back({.bits = bits,
                               .loss = loss * std::pow(2.0, -bits) * (1.0 + noise * uniform(random)),
                               .bytes = static_cast<std::int64_t>(weights * bits / 8),
                               .ms = weights * 1e-6 * (bits + noise * 8.0 * uniform(random))});
    all.push_back(layer);
  }
  return all;
}

struct Best {
  double loss = std::numeric_limits<double>::infinity();
  std::int64_t bytes = std::numeric_limits<std::int64_t>::max();  // of any plan within the time
};

/// By trying every plan.
Best best_of_all(const std::vector<LayerChoices>& layers, const Budget& budget) {
  std::int64_t count = 1;
  for (const LayerChoices& layer : layers) count *= static_cast<std::int64_t>(layer.choices.size());
  Best best;
  for (std::int64_t code = 0; code < count; ++code) {
    std::int64_t rest = code, bytes = 0;
    double loss = 0, ms = 0;
    for (const LayerChoices& layer : layers) {
      const auto size = static_cast<std::int64_t>(layer.choices.size());
      const Choice& choice = layer.choices[static_cast<std::size_t>(rest % size)];
      rest /= size;
      loss += choice.loss;
      bytes += choice.bytes;
      ms += choice.ms;
    }
    if (budget.ms.has_value() && ms > *budget.ms * (1 + 1e-9)) continue;
    best.bytes = std::min(best.bytes, bytes);
    if (!budget.bytes.has_value() || bytes <= *budget.bytes) best.loss = std::min(best.loss, loss);
  }
  return best;
}

Plan widest(const std::vector<LayerChoices>& layers) {
  return uniform_plan(layers, {});
}

TEST(ExactPlan, LosesTheLeastOfAllPlansWithinTheBudgets) {
  int refused = 0;
  for (unsigned seed = 0; seed < 60; ++seed) {
    const auto layers = random_layers(seed, 1 + static_cast<int>(seed % 7), 1.0);
    const Plan all = widest(layers);
    Budget budget;
    if (seed % 3 != 0)
      budget.bytes = static_cast<std::int64_t>(static_cast<double>(all.bytes) * (0.14 + 0.03 * (seed % 5)));
    if (seed % 3 != 1) budget.ms = all.ms * (0.2 + 0.04 * (seed % 4));
    const Best best = best_of_all(layers, budget);
    const std::string error = error_of([&] {
      const Plan plan = exact_plan(layers, budget);
      EXPECT_NEAR(plan.loss, best.loss, 1e-9 * best.loss) << seed;
      EXPECT_LE(plan.bytes, budget.bytes.value_or(plan.bytes)) << seed;
      EXPECT_LE(plan.ms, budget.ms.value_or(plan.ms) * (1 + 1e-9)) << seed;
    });
    EXPECT_EQ(error == "no error", std::isfinite(best.loss)) << seed << error;
    refused += error == "no error" ? 0 : 1;
  }
  EXPECT_LT(refused, 40);
}

TEST(Policies, AreNeverBetterThanTheExactPlan) {
  int greedy_is_worse = 0, plans = 0;
  for (unsigned seed = 0; seed < 40; ++seed) {
    const auto layers = random_layers(seed, 12, 0.0);
    for (const double part : {0.2, 0.3, 0.5}) {
      const Budget budget{
          .bytes = static_cast<std::int64_t>(static_cast<double>(widest(layers).bytes) * part), .ms = {}};
      const double exact = exact_plan(layers, budget).loss, least = exact * (1 - 1e-12);
      for (const auto policy : {greedy_plan, threshold_plan, uniform_plan}) {
        const Plan plan = policy(layers, budget);
        EXPECT_LE(plan.bytes, *budget.bytes);
        EXPECT_GE(plan.loss, least) << seed;
      }
      greedy_is_worse += greedy_plan(layers, budget).loss > exact ? 1 : 0;
      ++plans;
    }
  }
  EXPECT_GT(greedy_is_worse, plans / 10);
}

std::vector<LayerChoices> three_layers() {
  const auto layer = [](const char* path, double loss) {
    return LayerChoices{path, {{4, loss * 4, 400, 1}, {8, loss, 800, 2}, {16, 0, 1600, 3}, {32, 0, 3200, 4}}};
  };
  return {layer("a", 0.02), layer("b", 0.001), layer("c", 0.5)};
}

std::vector<int> bits_of(const Plan& plan) {
  std::vector<int> bits;
  for (const Choice& each : plan.chosen) bits.push_back(each.bits);
  return bits;
}

TEST(ThresholdPlan, GivesBitsByTheLossAt8BitsAndNarrowsTheLeastSensitiveFirst) {
  EXPECT_EQ(bits_of(threshold_plan(three_layers(), {})), (std::vector{16, 8, 32}));
  EXPECT_EQ(bits_of(threshold_plan(three_layers(), {.bytes = 5600, .ms = {}})), (std::vector{16, 8, 32}));
  EXPECT_EQ(bits_of(threshold_plan(three_layers(), {.bytes = 5599, .ms = {}})), (std::vector{16, 4, 32}));
  EXPECT_EQ(bits_of(threshold_plan(three_layers(), {.bytes = 4400, .ms = {}})), (std::vector{8, 4, 32}));
  EXPECT_EQ(bits_of(threshold_plan(three_layers(), {.bytes = 4399, .ms = {}})), (std::vector{4, 4, 32}));
}

TEST(UniformPlan, IsTheWidestThatFits) {
  EXPECT_EQ(bits_of(uniform_plan(three_layers(), {.bytes = 2400, .ms = {}})), (std::vector{8, 8, 8}));
  EXPECT_EQ(bits_of(uniform_plan(three_layers(), {.bytes = 2399, .ms = {}})), (std::vector{4, 4, 4}));
}

TEST(ParetoFront, LosesLessWithEachByteMore) {
  const auto layers = random_layers(3, 8, 0.0);
  const std::vector<Plan> front = pareto_front(layers, {}, 9);
  ASSERT_GE(front.size(), 5u);
  EXPECT_EQ(bits_of(front.front()), std::vector<int>(8, 4));
  EXPECT_EQ(bits_of(front.back()), std::vector<int>(8, 32));
  for (std::size_t i = 1; i < front.size(); ++i) {
    EXPECT_GT(front[i].bytes, front[i - 1].bytes);
    EXPECT_LT(front[i].loss, front[i - 1].loss);
  }
}

TEST(Plans, RefuseBudgetsThatNothingMeetsAndSayWhatWouldDo) {
  const auto layers = three_layers();
  for (const auto policy : {exact_plan, threshold_plan, greedy_plan, uniform_plan}) {
    EXPECT_EQ(error_of([&] { policy(layers, {.bytes = 1199, .ms = {}}); }),
              "[plan] memory: expected a budget of at least 1200 bytes, got 1199; that is every layer at its "
              "fewest bits");
    EXPECT_EQ(error_of([&] { policy(layers, {.bytes = {}, .ms = 2.5}); }),
              "[plan] latency: expected a budget of at least 3 ms, got 2.5 ms; that is every layer at its "
              "fastest");
    EXPECT_EQ(bits_of(policy(layers, {.bytes = 1200, .ms = {}})), (std::vector{4, 4, 4}));
  }
}

TEST(Plans, SayTheSmallestMemoryBesideALatencyThatNothingMeetsTogether) {
  // The narrow choice is the slow one.
  const std::vector<LayerChoices> layers = {{"a", {{4, 1, 400, 9}, {8, 0, 800, 2}}},
                                            {"b", {{4, 1, 300, 5}, {8, 0, 600, 4}}}};
  for (const auto policy : {exact_plan, greedy_plan, uniform_plan, threshold_plan})
    EXPECT_EQ(error_of([&] { policy(layers, {.bytes = 1000, .ms = 7.0}); }),
              "[plan] memory: expected a budget of at least 1100 bytes beside 7 ms, got 1000; allow more of "
              "one of the two");
  EXPECT_EQ(bits_of(exact_plan(layers, {.bytes = 1100, .ms = 7.0})), (std::vector{8, 4}));
  EXPECT_EQ(error_of([&] { uniform_plan(layers, {.bytes = 1100, .ms = 7.0}); }),
            "[plan] uniform: expected to keep within the budget, found no plan of this policy; policy exact "
            "has one");
}

TEST(Plans, RefuseTablesThatAreNone) {
  EXPECT_EQ(error_of([] { exact_plan({}, {}); }), "[plan] layers: expected at least 1, got none");
  EXPECT_EQ(error_of([] {
              exact_plan({{"fc1", {}}}, {});
            }),
            "[plan] fc1: expected at least 1 choice of bits, got none");
  const auto with = [](Choice choice) { return error_of([&] { exact_plan({{"fc1", {choice}}}, {}); }); };
  EXPECT_EQ(with({8, std::nan(""), 1, 1}), "[plan] fc1: 8 bits: expected a finite loss, got nan");
  EXPECT_EQ(with({8, 0, -1, 1}), "[plan] fc1: 8 bits: expected bytes >= 0, got -1");
  EXPECT_EQ(with({8, 0, 1, -1}), "[plan] fc1: 8 bits: expected ms >= 0, got -1 ms");
}

}  // namespace
}  // namespace samebits::planner
