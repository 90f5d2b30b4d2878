// The policies of planner/plan.h that are not exact.
#include <algorithm>
#include <limits>

#include "planner/plan.h"
#include "planner/plan_check.h"

namespace samebits::planner {
namespace {

using Indices = std::vector<std::size_t>;

std::size_t index_of_least_loss(const LayerChoices& layer) {
  const auto less = [](const Choice& a, const Choice& b) { return a.loss < b.loss; };
  return static_cast<std::size_t>(std::min_element(layer.choices.begin(), layer.choices.end(), less) -
                                  layer.choices.begin());
}

/// What of the exceeded budgets going from `from` to `to` saves, each as a part of its limit; 0 when a
/// budgeted cost grows, so that moves come to an end.
double saved_part(const Choice& from, const Choice& to, const Plan& plan, const Budget& budget) {
  if (budget.bytes.has_value() && to.bytes > from.bytes) return 0;
  if (budget.ms.has_value() && to.ms > from.ms) return 0;
  double saved = 0;
  if (budget.bytes.has_value() && plan.bytes > *budget.bytes)
    saved += static_cast<double>(from.bytes - to.bytes) / static_cast<double>(*budget.bytes);
  if (budget.ms.has_value() && plan.ms > *budget.ms) saved += (from.ms - to.ms) / *budget.ms;
  return saved;
}

struct Move {
  std::size_t layer = 0, choice = 0;
  double price = std::numeric_limits<double>::infinity();
  bool exists() const { return price < std::numeric_limits<double>::infinity(); }
};

Move cheapest_move(const std::vector<LayerChoices>& layers, const Indices& chosen, const Plan& plan,
                   const Budget& budget) {
  Move best;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Choice& from = layers[i].choices[chosen[i]];
    for (std::size_t c = 0; c < layers[i].choices.size(); ++c) {
      const Choice& to = layers[i].choices[c];
      const double saved = saved_part(from, to, plan, budget);
      if (saved <= 0) continue;
      const double price = (to.loss - from.loss) / saved;
      if (price < best.price) best = {i, c, price};
    }
  }
  return best;
}

std::size_t at_least(const LayerChoices& layer, int bits) {
  for (std::size_t c = 0; c < layer.choices.size(); ++c)
    if (layer.choices[c].bits >= bits) return c;
  return layer.choices.size() - 1;
}

int threshold_bits(double loss) {
  constexpr double kFor8Bits = 0.01, kFor16Bits = 0.05;
  if (loss < kFor8Bits) return 8;
  return loss < kFor16Bits ? 16 : 32;
}

}  // namespace

Plan greedy_plan(const std::vector<LayerChoices>& layers, const Budget& budget) {
  check_problem(layers, budget);
  Indices chosen;
  for (const LayerChoices& layer : layers) chosen.push_back(index_of_least_loss(layer));
  for (Plan plan = plan_of(layers, chosen);; plan = plan_of(layers, chosen)) {
    if (fits(plan, budget)) return plan;
    const Move move = cheapest_move(layers, chosen, plan, budget);
    if (!move.exists()) fail_policy("greedy", layers, budget);
    chosen[move.layer] = move.choice;
  }
}

Plan threshold_plan(const std::vector<LayerChoices>& layers, const Budget& budget) {
  check_problem(layers, budget);
  Indices chosen, by_loss;
  for (const LayerChoices& layer : layers) {
    chosen.push_back(at_least(layer, threshold_bits(layer.choices[at_least(layer, 8)].loss)));
    by_loss.push_back(by_loss.size());
  }
  const auto loss_at_8_bits = [&](std::size_t i) { return layers[i].choices[at_least(layers[i], 8)].loss; };
  std::stable_sort(by_loss.begin(), by_loss.end(),
                   [&](std::size_t a, std::size_t b) { return loss_at_8_bits(a) < loss_at_8_bits(b); });
  while (true) {
    const Plan plan = plan_of(layers, chosen);
    if (fits(plan, budget)) return plan;
    const auto can_narrow = [&](std::size_t i) { return chosen[i] > 0; };
    const auto next = std::find_if(by_loss.begin(), by_loss.end(), can_narrow);
    if (next == by_loss.end()) fail_policy("threshold", layers, budget);
    --chosen[*next];
  }
}

Plan uniform_plan(const std::vector<LayerChoices>& layers, const Budget& budget) {
  check_problem(layers, budget);
  std::vector<int> widths;
  for (const LayerChoices& layer : layers)
    for (const Choice& each : layer.choices) widths.push_back(each.bits);
  std::sort(widths.rbegin(), widths.rend());
  for (const int bits : widths) {
    Indices chosen;
    for (const LayerChoices& layer : layers) chosen.push_back(at_least(layer, bits));
    const Plan plan = plan_of(layers, chosen);
    if (fits(plan, budget)) return plan;
  }
  fail_policy("uniform", layers, budget);
}

}  // namespace samebits::planner
