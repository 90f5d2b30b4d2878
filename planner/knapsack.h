// The multiple-choice knapsack, solved to its optimum: one choice of each class, the least cost, sums of
// weights within limits. H. Kellerer, U. Pferschy, D. Pisinger, Knapsack Problems (2004), chapter 11.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

namespace samebits::planner {

/// Classes and their choices, each with a cost and one weight a limit. All finite.
struct Knapsack {
  struct Choice {
    double cost = 0;
    std::vector<double> weights;  // as many as limits, >= 0
  };
  std::vector<std::vector<Choice>> classes;  // none empty
  std::vector<double> limits;                // > 0
};

struct KnapsackSolution {
  std::vector<std::size_t> chosen;  // of each class
  double cost = 0;
  double gap = 0;  // no solution costs less than cost - gap: 0 unless the solver ran out of time
};

/// The optimum, to about 1e-9 of the costs' range; none when no choice keeps within the limits. The linear
/// relaxation (Clp) prices the limits; a choice whose reduced cost exceeds the gap to a known solution is in
/// no better one, so that CBC branches on the few that are left (ibid., 11.3), which widen until they prove
/// it. The same input gives the same solution, unless branching takes more than 10 s, as it may where costs
/// are in proportion to weights: then the best that was found, with its gap. Throws std::runtime_error when
/// that is none, or the solver gives up.
std::optional<KnapsackSolution> solve(const Knapsack& knapsack);

}  // namespace samebits::planner
