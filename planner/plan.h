// Bits for each layer: of what each choice loses and costs, the choices that lose least within a budget, or
// those of simpler policies to compare with.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace samebits::planner {

/// One way to quantize a layer.
struct Choice {
  int bits = 8;            // of the weight; 16 and more: float
  double loss = 0;         // what it is expected to cost in quality; finite, in any unit that adds up
  std::int64_t bytes = 0;  // of the weight as it is stored
  double ms = 0;           // of one example
  friend bool operator==(const Choice&, const Choice&) = default;
};

struct LayerChoices {
  std::string path;
  std::vector<Choice> choices;  // ascending bits, each once
};

/// Upper limits of a whole model; either or both.
struct Budget {
  std::optional<std::int64_t> bytes;
  std::optional<double> ms;
};

struct Plan {
  std::vector<Choice> chosen;  // of each layer, in the layers' order
  double loss = 0;
  std::int64_t bytes = 0;
  double ms = 0;
  double gap = 0;  // exact: no plan loses less than loss - gap; 0 unless the solver ran out of time
};

// All throw std::invalid_argument: on an empty layer list, a layer without choices, a loss or cost that is
// not finite or negative costs; and when no plan keeps within the budget, with the smallest budget that
// some plan does keep within. A policy that is not exact may find none where there is one, and says so.

/// The least sum of losses within the budget (knapsack.h).
Plan exact_plan(const std::vector<LayerChoices>& layers, const Budget& budget);

/// By the loss at 8 bits: below 0.01 a layer gets 8 bits, below 0.05 16, else 32, or the nearest width
/// above that it has. While that exceeds the budget, the layer with the least loss among those that have a
/// narrower choice left takes it.
Plan threshold_plan(const std::vector<LayerChoices>& layers, const Budget& budget);

/// From the choice of least loss for every layer, always the narrower one that loses least a part of the
/// exceeded budgets, until the plan fits.
Plan greedy_plan(const std::vector<LayerChoices>& layers, const Budget& budget);

/// The same bits everywhere: the most that keep within the budget.
Plan uniform_plan(const std::vector<LayerChoices>& layers, const Budget& budget);

/// Exact plans at `points` budgets of bytes, evenly from the smallest possible to that of the least loss,
/// within the budget's ms; those that lose more than a plan of fewer bytes are left out. points >= 2.
std::vector<Plan> pareto_front(const std::vector<LayerChoices>& layers, const Budget& budget,
                               std::int64_t points);

}  // namespace samebits::planner
