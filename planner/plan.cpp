// planner/plan.h: the exact plan, and what can be said of a budget. The other policies are in policies.cpp.
#include "planner/plan.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>
#include <stdexcept>

#include "planner/knapsack.h"
#include "planner/plan_check.h"

namespace samebits::planner {
namespace {

[[noreturn]] void fail(const std::string& message) {
  throw std::invalid_argument("[plan] " + message);
}

std::string ms_text(double ms) {
  char text[32];
  std::snprintf(text, sizeof text, "%.6g ms", ms);
  return text;
}

template <class Value>
auto least(const LayerChoices& layer, Value value) {
  auto found = value(layer.choices[0]);
  for (const Choice& each : layer.choices) found = std::min(found, value(each));
  return found;
}

std::int64_t least_bytes(const std::vector<LayerChoices>& layers) {
  std::int64_t sum = 0;
  for (const LayerChoices& layer : layers) sum += least(layer, [](const Choice& c) { return c.bytes; });
  return sum;
}

double least_ms(const std::vector<LayerChoices>& layers) {
  double sum = 0;
  for (const LayerChoices& layer : layers) sum += least(layer, [](const Choice& c) { return c.ms; });
  return sum;
}

template <class Cost>
std::optional<Plan> least_plan(const std::vector<LayerChoices>& layers, const Budget& budget, Cost cost) {
  Knapsack knapsack;
  if (budget.bytes.has_value()) knapsack.limits.push_back(static_cast<double>(*budget.bytes));
  if (budget.ms.has_value()) knapsack.limits.push_back(*budget.ms);
  for (const LayerChoices& layer : layers) {
    std::vector<Knapsack::Choice> choices;
    for (const Choice& each : layer.choices) {
      Knapsack::Choice choice{.cost = cost(each), .weights = {}};
      if (budget.bytes.has_value()) choice.weights.push_back(static_cast<double>(each.bytes));
      if (budget.ms.has_value()) choice.weights.push_back(each.ms);
      choices.push_back(std::move(choice));
    }
    knapsack.classes.push_back(std::move(choices));
  }
  const std::optional<KnapsackSolution> solution = solve(knapsack);
  if (!solution.has_value()) return std::nullopt;
  Plan plan = plan_of(layers, solution->chosen);
  plan.gap = solution->gap;
  return plan;
}

}  // namespace

void check_problem(const std::vector<LayerChoices>& layers, const Budget& budget) {
  if (layers.empty()) fail("layers: expected at least 1, got none");
  for (const LayerChoices& layer : layers) {
    if (layer.choices.empty()) fail(layer.path + ": expected at least 1 choice of bits, got none");
    for (const Choice& each : layer.choices) {
      const std::string where = layer.path + ": " + std::to_string(each.bits) + " bits: ";
      if (!std::isfinite(each.loss)) fail(where + "expected a finite loss, got " + std::to_string(each.loss));
      if (each.bytes < 0) fail(where + "expected bytes >= 0, got " + std::to_string(each.bytes));
      if (!std::isfinite(each.ms) || each.ms < 0) fail(where + "expected ms >= 0, got " + ms_text(each.ms));
    }
  }
  if (budget.bytes.has_value() && *budget.bytes < std::max<std::int64_t>(least_bytes(layers), 1))
    fail("memory: expected a budget of at least " + std::to_string(least_bytes(layers)) + " bytes, got " +
         std::to_string(*budget.bytes) + "; that is every layer at its fewest bits");
  if (budget.ms.has_value() && !(*budget.ms >= least_ms(layers) && *budget.ms > 0))
    fail("latency: expected a budget of at least " + ms_text(least_ms(layers)) + ", got " +
         ms_text(*budget.ms) + "; that is every layer at its fastest");
}

void fail_both(const std::vector<LayerChoices>& layers, const Budget& budget) {
  const Budget latency{.bytes = std::nullopt, .ms = budget.ms};
  const auto bytes = [](const Choice& each) { return static_cast<double>(each.bytes); };
  const std::optional<Plan> smallest = least_plan(layers, latency, bytes);
  fail("memory: expected a budget of at least " + std::to_string(smallest.value().bytes) + " bytes beside " +
       ms_text(*budget.ms) + ", got " + std::to_string(*budget.bytes) + "; allow more of one of the two");
}

void fail_policy(const std::string& policy, const std::vector<LayerChoices>& layers, const Budget& budget) {
  exact_plan(layers, budget);
  fail(policy + ": expected to keep within the budget, found no plan of this policy; policy exact has one");
}

Plan plan_of(const std::vector<LayerChoices>& layers, const std::vector<std::size_t>& chosen) {
  Plan plan;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Choice& choice = layers[i].choices[chosen[i]];
    plan.chosen.push_back(choice);
    plan.loss += choice.loss;
    plan.bytes += choice.bytes;
    plan.ms += choice.ms;
  }
  return plan;
}

bool fits(const Plan& plan, const Budget& budget) {
  constexpr double kRounding = 1.0 + 1e-9;  // of sums in another order
  return plan.bytes <= budget.bytes.value_or(std::numeric_limits<std::int64_t>::max()) &&
         plan.ms <= budget.ms.value_or(std::numeric_limits<double>::infinity()) * kRounding;
}

Plan exact_plan(const std::vector<LayerChoices>& layers, const Budget& budget) {
  check_problem(layers, budget);
  const std::optional<Plan> plan = least_plan(layers, budget, [](const Choice& each) { return each.loss; });
  if (!plan.has_value()) fail_both(layers, budget);
  return *plan;
}

std::vector<Plan> pareto_front(const std::vector<LayerChoices>& layers, const Budget& budget,
                               std::int64_t points) {
  check_problem(layers, budget);
  const Budget latency{.bytes = std::nullopt, .ms = budget.ms};
  const std::optional<Plan> best = least_plan(layers, latency, [](const Choice& each) { return each.loss; });
  const std::optional<Plan> smallest =
      least_plan(layers, latency, [](const Choice& each) { return static_cast<double>(each.bytes); });
  std::vector<Plan> front;
  for (std::int64_t i = 0; i < points; ++i) {
    const double part = static_cast<double>(i) / static_cast<double>(points - 1);
    const auto more = static_cast<std::int64_t>(static_cast<double>(best->bytes - smallest->bytes) * part);
    const Plan plan = exact_plan(layers, {.bytes = smallest->bytes + more, .ms = budget.ms});
    if (front.empty() || plan.loss < front.back().loss) front.push_back(plan);
  }
  return front;
}

}  // namespace samebits::planner
