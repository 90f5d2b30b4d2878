#include "planner/knapsack.h"

#include <coin/Cbc_C_Interface.h>
#include <coin/Clp_C_Interface.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>

namespace samebits::planner {
namespace {

// Limits are scaled to this, so that the solvers' absolute tolerance of 1e-7 is 1e-13 of a limit.
constexpr double kScaledLimit = 1e6;
// Costs of the branching problem: the gap that it has to close. CBC's increment of 1e-4 is then 1e-10 of it.
constexpr double kScaledGap = 1e6;
// Choices beside the cheapest that the first branching problem takes.
constexpr std::size_t kFirstExtras = 200;
constexpr double kWider = 8.0;
constexpr double kNoSolution = 1e30;        // CBC's objective without one is above
constexpr const char* kMostSeconds = "10";  // of a branching problem

using Prices = std::vector<double>;

/// Columns of a sparse matrix, as both solvers take them.
struct Columns {
  std::vector<CoinBigIndex> start{0};
  std::vector<int> rows;
  std::vector<double> values, costs, lower, upper;
  std::vector<double> row_lower, row_upper;

  void add(double cost, double most) {
    costs.push_back(cost);
    lower.push_back(0.0);
    upper.push_back(most);
    start.push_back(static_cast<CoinBigIndex>(rows.size()));
  }
  void entry(std::size_t row, double value) {
    if (value == 0.0) return;
    rows.push_back(static_cast<int>(row));
    values.push_back(value);
  }
  void row(double low, double high) {
    row_lower.push_back(low);
    row_upper.push_back(high);
  }
  int columns() const { return static_cast<int>(costs.size()); }
  int rows_count() const { return static_cast<int>(row_lower.size()); }
};

double scaled(const Knapsack& knapsack, const Knapsack::Choice& choice, std::size_t limit) {
  return choice.weights[limit] / knapsack.limits[limit] * kScaledLimit;
}

/// The price of a scaled unit of each limit, from the linear relaxation; none when it has no solution.
std::optional<Prices> prices_of_limits(const Knapsack& knapsack, double cost_range) {
  const std::size_t limits = knapsack.limits.size(), classes = knapsack.classes.size();
  Columns lp;
  for (std::size_t i = 0; i < classes; ++i) lp.row(1.0, 1.0);
  for (std::size_t r = 0; r < limits; ++r) lp.row(0.0, kScaledLimit);
  for (std::size_t i = 0; i < classes; ++i)
    for (const Knapsack::Choice& choice : knapsack.classes[i]) {
      lp.entry(i, 1.0);
      for (std::size_t r = 0; r < limits; ++r) lp.entry(classes + r, scaled(knapsack, choice, r));
      lp.add(choice.cost / cost_range, 1.0);
    }
  const std::unique_ptr<Clp_Simplex, decltype(&Clp_deleteModel)> model(Clp_newModel(), Clp_deleteModel);
  Clp_setLogLevel(model.get(), 0);
  Clp_loadProblem(model.get(), lp.columns(), lp.rows_count(), lp.start.data(), lp.rows.data(),
                  lp.values.data(), lp.lower.data(), lp.upper.data(), lp.costs.data(), lp.row_lower.data(),
                  lp.row_upper.data());
  Clp_initialSolve(model.get());
  if (Clp_isProvenPrimalInfeasible(model.get())) return std::nullopt;
  if (!Clp_isProvenOptimal(model.get()))
    throw std::runtime_error("[plan] solver: the linear relaxation was not solved; report the layer table");
  const double* duals = Clp_dualRowSolution(model.get());
  Prices prices(limits);
  for (std::size_t r = 0; r < limits; ++r) prices[r] = std::max(-duals[classes + r] * cost_range, 0.0);
  return prices;
}

/// What each choice costs beyond the cheapest of its class at the limits' prices, and the bound that
/// results: for any prices >= 0 no solution costs less, so that the relaxation's rounding does not matter.
struct Reduced {
  std::vector<std::vector<double>> costs;
  double bound = 0;
};

Reduced reduced_costs(const Knapsack& knapsack, const Prices& prices) {
  Reduced reduced;
  for (const auto& choices : knapsack.classes) {
    std::vector<double> costs;
    for (const Knapsack::Choice& choice : choices) {
      double cost = choice.cost;
      for (std::size_t r = 0; r < prices.size(); ++r) cost += prices[r] * scaled(knapsack, choice, r);
      costs.push_back(cost);
    }
    const double least = *std::min_element(costs.begin(), costs.end());
    for (double& cost : costs) cost -= least;
    reduced.bound += least;
    reduced.costs.push_back(std::move(costs));
  }
  for (const double price : prices) reduced.bound -= price * kScaledLimit;
  return reduced;
}

double cost_of(const Knapsack& knapsack, const std::vector<std::size_t>& chosen) {
  double cost = 0;
  for (std::size_t i = 0; i < chosen.size(); ++i) cost += knapsack.classes[i][chosen[i]].cost;
  return cost;
}

struct CoreSolution {
  std::vector<std::size_t> chosen;
  double gap = 0;  // to the least of the core's choices; 0: it is that
};

/// The knapsack of the choices whose reduced cost is at most `width`. A class with one such is settled.
class Core {
 public:
  Core(const Knapsack& knapsack, const Reduced& reduced, double width)
      : room_(knapsack.limits.size(), kScaledLimit) {
    for (std::size_t i = 0; i < reduced.costs.size(); ++i) {
      std::vector<std::size_t> kept;
      for (std::size_t c = 0; c < reduced.costs[i].size(); ++c)
        if (reduced.costs[i][c] <= width) kept.push_back(c);
      chosen_.push_back(kept[0]);
      if (kept.size() > 1) {
        open_.push_back({i, kept});
        continue;
      }
      for (std::size_t r = 0; r < room_.size(); ++r)
        room_[r] -= scaled(knapsack, knapsack.classes[i][kept[0]], r);
    }
  }

  /// Minimizes what exceeds the bound: reduced costs, and the price of what is left of each limit.
  std::optional<CoreSolution> solve(const Knapsack& knapsack, const Reduced& reduced, const Prices& prices,
                                    double width) {
    if (open_.empty()) return settled();
    const double unit = kScaledGap / width;
    Columns mip;
    for (std::size_t i = 0; i < open_.size(); ++i) mip.row(1.0, 1.0);
    for (const double room : room_) mip.row(room, room);
    for (std::size_t i = 0; i < open_.size(); ++i)
      for (const std::size_t c : open_[i].choices) {
        mip.entry(i, 1.0);
        const std::size_t index = open_[i].index;
        for (std::size_t r = 0; r < room_.size(); ++r)
          mip.entry(open_.size() + r, scaled(knapsack, knapsack.classes[index][c], r));
        mip.add(reduced.costs[index][c] * unit, 1.0);
      }
    const int integers = mip.columns();
    for (std::size_t r = 0; r < room_.size(); ++r) {  // what is left of a limit
      mip.entry(open_.size() + r, 1.0);
      mip.add(prices[r] * unit, std::numeric_limits<double>::max());
    }
    return branch(mip, integers, unit);
  }

 private:
  struct Open {
    std::size_t index;
    std::vector<std::size_t> choices;
  };

  std::optional<CoreSolution> settled() const {
    const auto has_room = [](double room) { return room >= -1e-7; };
    if (!std::all_of(room_.begin(), room_.end(), has_room)) return std::nullopt;
    return CoreSolution{chosen_, 0.0};
  }

  std::optional<CoreSolution> branch(const Columns& mip, int integers, double unit) {
    const std::unique_ptr<Cbc_Model, decltype(&Cbc_deleteModel)> model(Cbc_newModel(), Cbc_deleteModel);
    Cbc_loadProblem(model.get(), mip.columns(), mip.rows_count(), mip.start.data(), mip.rows.data(),
                    mip.values.data(), mip.lower.data(), mip.upper.data(), mip.costs.data(),
                    mip.row_lower.data(), mip.row_upper.data());
    for (int column = 0; column < integers; ++column) Cbc_setInteger(model.get(), column);
    Cbc_setParameter(model.get(), "logLevel", "0");
    Cbc_setParameter(model.get(), "ratioGap", "0");
    Cbc_setParameter(model.get(), "allowableGap", "0");
    Cbc_setParameter(model.get(), "seconds", kMostSeconds);
    Cbc_solve(model.get());
    if (Cbc_isProvenInfeasible(model.get())) return std::nullopt;
    const double* solution = Cbc_getColSolution(model.get());
    const bool is_optimal = Cbc_isProvenOptimal(model.get()) != 0;
    const double cost = Cbc_getObjValue(model.get());
    if (solution == nullptr || (!is_optimal && cost > kNoSolution))
      throw std::runtime_error(std::string("[plan] solver: expected a plan within ") + kMostSeconds +
                               " s, found none; allow a larger budget");
    const double gap = is_optimal ? 0.0 : std::max(cost - Cbc_getBestPossibleObjValue(model.get()), 0.0);
    for (const Open& open : open_)
      for (const std::size_t c : open.choices)
        if (*solution++ > 0.5) chosen_[open.index] = c;
    return CoreSolution{chosen_, gap / unit};
  }

  std::vector<std::size_t> chosen_;
  std::vector<Open> open_;
  std::vector<double> room_;  // of each limit, for the open classes
};

/// The reduced cost of the first `kFirstExtras` choices beside the cheapest of each class, and the largest.
/// What is nothing beside `cost_range` is rounding, which would not scale.
std::pair<double, double> first_and_largest_width(const Reduced& reduced, double cost_range) {
  const double least = 1e-9 * cost_range;
  std::vector<double> extras;
  for (const auto& costs : reduced.costs)
    for (const double cost : costs)
      if (cost > least) extras.push_back(cost);
  if (extras.empty()) return {least, least};
  const auto last = extras.begin() + static_cast<std::ptrdiff_t>(std::min(kFirstExtras, extras.size()) - 1);
  std::nth_element(extras.begin(), last, extras.end());
  return {*last, *std::max_element(extras.begin(), extras.end())};
}

double range_of_costs(const Knapsack& knapsack) {
  double range = 0;
  for (const auto& choices : knapsack.classes)
    for (const Knapsack::Choice& choice : choices) range = std::max(range, std::fabs(choice.cost));
  return range > 0 ? range : 1.0;
}

}  // namespace

std::optional<KnapsackSolution> solve(const Knapsack& knapsack) {
  const double cost_range = range_of_costs(knapsack);
  const std::optional<Prices> prices = prices_of_limits(knapsack, cost_range);
  if (!prices.has_value()) return std::nullopt;
  const Reduced reduced = reduced_costs(knapsack, *prices);
  auto [width, largest] = first_and_largest_width(reduced, cost_range);
  while (true) {
    const auto found = Core(knapsack, reduced, width).solve(knapsack, reduced, *prices, width);
    if (found.has_value()) {
      const double cost = cost_of(knapsack, found->chosen), gap = cost - reduced.bound;
      if (found->gap > 0)  // out of time: what is not in the core costs more than the bound by `width`
        return KnapsackSolution{found->chosen, cost, std::max(found->gap, gap - width)};
      if (gap <= width || width >= largest) return KnapsackSolution{found->chosen, cost, 0.0};
      // No further than the last solution leaves possible; and slowly, since a first one may be poor.
      width = std::min(gap * (1.0 + 1e-9), kWider * width);
    } else {
      if (width >= largest) return std::nullopt;
      width *= kWider;
    }
  }
}

}  // namespace samebits::planner
