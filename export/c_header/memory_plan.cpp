#include "export/c_header/memory_plan.h"

#include <algorithm>
#include <numeric>

namespace samebits {
namespace {

bool live_together(const Lifetime& a, const Lifetime& b) {
  return a.first <= b.last && b.first <= a.last;
}

std::int64_t aligned(std::int64_t bytes) {
  return (bytes + MemoryPlan::kAlignment - 1) / MemoryPlan::kAlignment * MemoryPlan::kAlignment;
}

}  // namespace

MemoryPlan plan_memory(std::span<const Lifetime> lifetimes) {
  MemoryPlan plan{.offsets = std::vector<std::int64_t>(lifetimes.size(), 0)};
  std::vector<std::size_t> order(lifetimes.size()), placed;
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return lifetimes[a].bytes > lifetimes[b].bytes; });
  for (const std::size_t i : order) {
    // Those placed so far stand by offset: a gap between two is found on the way.
    std::int64_t offset = 0;
    for (const std::size_t other : placed) {
      if (!live_together(lifetimes[i], lifetimes[other])) continue;
      if (offset + aligned(lifetimes[i].bytes) <= plan.offsets[other]) break;
      offset = std::max(offset, plan.offsets[other] + aligned(lifetimes[other].bytes));
    }
    plan.offsets[i] = offset;
    plan.bytes = std::max(plan.bytes, offset + aligned(lifetimes[i].bytes));
    placed.insert(std::upper_bound(placed.begin(), placed.end(), offset,
                                   [&](std::int64_t at, std::size_t p) { return at < plan.offsets[p]; }),
                  i);
  }
  return plan;
}

}  // namespace samebits
