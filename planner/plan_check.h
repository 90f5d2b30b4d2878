// What the policies of planner/plan.h share.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "planner/plan.h"

namespace samebits::planner {

/// Throws as plan.h says, except that a plan may exist for each budget alone and for both together none.
void check_problem(const std::vector<LayerChoices>& layers, const Budget& budget);

/// For budgets that check_problem() lets pass and no plan meets together.
[[noreturn]] void fail_both(const std::vector<LayerChoices>& layers, const Budget& budget);

/// For a policy that found no plan: as fail_both() when there is none, else says who has one.
[[noreturn]] void fail_policy(const std::string& policy, const std::vector<LayerChoices>& layers,
                              const Budget& budget);

/// The plan of choices by index.
Plan plan_of(const std::vector<LayerChoices>& layers, const std::vector<std::size_t>& chosen);

bool fits(const Plan& plan, const Budget& budget);

}  // namespace samebits::planner
