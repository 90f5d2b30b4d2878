// planner/knapsack.h against the enumeration of all solutions, and at its largest size.
#include "planner/knapsack.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <ctime>
#include <limits>
#include <random>

namespace samebits::planner {
namespace {

/// A knapsack like that of a model: choices of falling cost and rising weights, but not strictly so.
Knapsack random_knapsack(unsigned seed, std::size_t classes, std::size_t limits, double part) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<double> uniform(0.0, 1.0);
  constexpr int kBits[] = {2, 3, 4, 6, 8, 16};
  Knapsack knapsack{.classes = {}, .limits = std::vector<double>(limits, 0.0)};
  for (std::size_t i = 0; i < classes; ++i) {
    const double size = std::floor(std::exp(4.0 + 6.0 * uniform(random)));
    std::vector<Knapsack::Choice> choices;
    for (const int bits : kBits) {
      Knapsack::Choice choice{.cost = size * std::pow(4.0, -bits) * uniform(random), .weights = {}};
      choice.weights.push_back(size * bits);
      if (limits > 1) choice.weights.push_back(uniform(random) * bits);
      choices.push_back(choice);
    }
    for (std::size_t r = 0; r < limits; ++r) knapsack.limits[r] += choices.back().weights[r] * part;
    knapsack.classes.push_back(std::move(choices));
  }
  return knapsack;
}

/// The least cost of all solutions within the limits; infinity when there is none.
double enumerated(const Knapsack& knapsack, std::size_t index, std::vector<double> room) {
  if (index == knapsack.classes.size()) return 0.0;
  double best = std::numeric_limits<double>::infinity();
  for (const Knapsack::Choice& choice : knapsack.classes[index]) {
    std::vector<double> left = room;
    bool fits = true;
    for (std::size_t r = 0; r < room.size(); ++r) {
      left[r] -= choice.weights[r];
      fits = fits && left[r] >= -1e-9 * knapsack.limits[r];
    }
    if (fits) best = std::min(best, choice.cost + enumerated(knapsack, index + 1, left));
  }
  return best;
}

void expect_within_limits(const Knapsack& knapsack, const KnapsackSolution& solution) {
  double cost = 0;
  for (std::size_t i = 0; i < knapsack.classes.size(); ++i)
    cost += knapsack.classes[i].at(solution.chosen.at(i)).cost;
  EXPECT_EQ(cost, solution.cost);
  for (std::size_t r = 0; r < knapsack.limits.size(); ++r) {
    double used = 0;
    for (std::size_t i = 0; i < knapsack.classes.size(); ++i)
      used += knapsack.classes[i][solution.chosen[i]].weights[r];
    EXPECT_LE(used, knapsack.limits[r] * (1.0 + 1e-9));
  }
}

TEST(Knapsack, FindsWhatEnumerationFinds) {
  int infeasible = 0;
  for (unsigned seed = 0; seed < 120; ++seed) {
    const std::size_t limits = 1 + seed % 2, classes = 1 + seed % 7;
    const Knapsack knapsack = random_knapsack(seed, classes, limits, 0.08 + 0.05 * (seed % 11));
    const double expected = enumerated(knapsack, 0, knapsack.limits);
    const auto solution = solve(knapsack);
    ASSERT_EQ(solution.has_value(), std::isfinite(expected)) << seed;
    if (!solution.has_value()) {
      ++infeasible;
      continue;
    }
    expect_within_limits(knapsack, *solution);
    EXPECT_NEAR(solution->cost, expected, 1e-9 * std::fabs(expected)) << seed;
  }
  EXPECT_GT(infeasible, 10);
  EXPECT_LT(infeasible, 100);
}

/// The least cost by dynamic programming over the used part of one limit; weights are integers.
double by_dynamic_programming(const Knapsack& knapsack) {
  const auto limit = static_cast<std::size_t>(knapsack.limits[0]);
  const double none = std::numeric_limits<double>::infinity();
  std::vector<double> least(limit + 1, none);
  least[0] = 0;
  for (const auto& choices : knapsack.classes) {
    std::vector<double> next(limit + 1, none);
    for (const Knapsack::Choice& choice : choices) {
      const auto weight = static_cast<std::size_t>(choice.weights[0]);
      for (std::size_t used = weight; used <= limit; ++used)
        next[used] = std::min(next[used], least[used - weight] + choice.cost);
    }
    least = std::move(next);
  }
  return *std::min_element(least.begin(), least.end());
}

TEST(Knapsack, FindsWhatDynamicProgrammingFindsWhereFewChoicesAreTriedFirst) {
  for (unsigned seed = 0; seed < 6; ++seed) {
    Knapsack knapsack = random_knapsack(seed, 150, 1, 0.2 + 0.1 * seed);
    for (auto& choices : knapsack.classes)  // coarse weights: what fits is far from the relaxation
      for (Knapsack::Choice& choice : choices) choice.weights[0] = std::ceil(choice.weights[0] / 4000.0);
    knapsack.limits[0] = std::ceil(knapsack.limits[0] / 4000.0);
    const auto solution = solve(knapsack);
    ASSERT_TRUE(solution.has_value());
    expect_within_limits(knapsack, *solution);
    EXPECT_EQ(solution->gap, 0.0);
    const double expected = by_dynamic_programming(knapsack);
    EXPECT_NEAR(solution->cost, expected, 1e-9 * std::fabs(expected)) << seed;
  }
}

TEST(Knapsack, TakesTheCheapestOfEachClassWithoutLimits) {
  const Knapsack knapsack{.classes = {{{2.0, {}}, {1.0, {}}}, {{-3.0, {}}, {0.0, {}}}}, .limits = {}};
  const auto solution = solve(knapsack);
  ASSERT_TRUE(solution.has_value());
  EXPECT_EQ(solution->chosen, (std::vector<std::size_t>{1, 0}));
  EXPECT_EQ(solution->cost, -2.0);
}

TEST(Knapsack, HasNoSolutionWhereIntegersLeaveNone) {
  // Half of each choice would fit: the relaxation has a solution.
  const Knapsack knapsack{.classes = {{{0.0, {0.0, 2.0}}, {0.0, {2.0, 0.0}}}}, .limits = {1.0, 1.0}};
  EXPECT_FALSE(solve(knapsack).has_value());
}

TEST(Knapsack, FindsCostsThatDifferByLittle) {
  Knapsack knapsack{.classes = {}, .limits = {9.0}};
  for (int i = 0; i < 9; ++i) {
    const double cost = 1e-9 * (1.0 + 1e-6 * i);
    knapsack.classes.push_back({{cost, {1.0}}, {cost * (1.0 - 1e-6), {1.5}}, {cost * 2.0, {0.5}}});
  }
  const auto solution = solve(knapsack);
  ASSERT_TRUE(solution.has_value());
  EXPECT_NEAR(solution->cost, enumerated(knapsack, 0, knapsack.limits), 1e-18);
}

TEST(Knapsack, TakesSecondsForTenThousandClasses) {
  for (const std::size_t limits : {1, 2}) {
    const Knapsack knapsack = random_knapsack(17, 10000, limits, 0.4);
    const std::clock_t begin = std::clock();  // of the processor: other work on the machine does not count
    const auto solution = solve(knapsack);
    const double seconds = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
    ASSERT_TRUE(solution.has_value());
    expect_within_limits(knapsack, *solution);
    EXPECT_LT(seconds, 10.0);
  }
}

}  // namespace
}  // namespace samebits::planner
