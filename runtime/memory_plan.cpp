// Large values first, each at the lowest place that is free as long as it lives (Pisarchyk and Lee,
// "Efficient Memory Management for Deep Neural Net Inference", 2020: greedy by size).
#include "runtime/memory_plan.h"

#include <algorithm>
#include <numeric>

namespace samebits::runtime {
namespace {

constexpr std::size_t kNever = SIZE_MAX;

struct Lifetime {
  std::size_t first = kNever, last = 0;  // steps; both included

  bool overlaps(const Lifetime& other) const { return first <= other.last && other.first <= last; }
};

class Planner {
 public:
  Planner(const Schedule& schedule, const std::vector<std::int64_t>& bytes,
          const std::vector<Sharing>& sharing)
      : schedule_(schedule), bytes_(bytes), sharing_(sharing), lifetimes_(schedule.values) {}

  MemoryPlan plan() {
    find_lifetimes();
    plan_.owner.resize(schedule_.values);
    std::iota(plan_.owner.begin(), plan_.owner.end(), std::size_t{0});
    for (std::size_t s = 0; s < schedule_.steps.size(); ++s) share(s);
    place_all();
    find_live_bytes();
    return std::move(plan_);
  }

 private:
  void find_lifetimes() {
    for (std::size_t s = 0; s < schedule_.steps.size(); ++s) {
      for (const std::size_t value : schedule_.steps[s].outputs) lifetimes_[value] = {s, s};
      for (const std::size_t value : schedule_.steps[s].inputs) lifetimes_[value].last = s;
    }
    for (const std::size_t value : schedule_.results) lifetimes_[value].last = schedule_.steps.size();
  }

  bool is_external(std::size_t value) const { return value < schedule_.inputs; }

  /// Lets the output of a step take over the memory of its first input.
  void share(std::size_t s) {
    const Step& step = schedule_.steps[s];
    if (sharing_[s] == Sharing::kNone) return;
    const std::size_t x = plan_.owner[step.inputs.front()], y = step.outputs.front();
    const bool may_overwrite = !is_external(x) && lifetimes_[x].last == s && bytes_[x] == bytes_[y] &&
                               bytes_[step.inputs.front()] == bytes_[y];
    if (sharing_[s] == Sharing::kInPlace && !may_overwrite) return;
    plan_.owner[y] = x;
    lifetimes_[x].last = std::max(lifetimes_[x].last, lifetimes_[y].last);
  }

  std::vector<std::size_t> owners() const {
    std::vector<std::size_t> owners;
    for (std::size_t value = schedule_.inputs; value < schedule_.values; ++value)
      if (plan_.owner[value] == value && lifetimes_[value].first != kNever) owners.push_back(value);
    return owners;
  }

  void place_all() {
    plan_.offset.assign(schedule_.values, 0);
    std::vector<std::size_t> order = owners(), placed;  // placed: by offset
    std::stable_sort(order.begin(), order.end(),
                     [&](std::size_t a, std::size_t b) { return bytes_[a] > bytes_[b]; });
    for (const std::size_t value : order) {
      const std::int64_t offset = lowest_place(value, placed);
      plan_.offset[value] = offset;
      plan_.bytes = std::max(plan_.bytes, offset + aligned(value));
      const auto behind = std::find_if(placed.begin(), placed.end(),
                                       [&](std::size_t other) { return plan_.offset[other] > offset; });
      placed.insert(behind, value);
    }
    for (std::size_t value = 0; value < schedule_.values; ++value)
      plan_.offset[value] = plan_.offset[plan_.owner[value]];
  }

  std::int64_t lowest_place(std::size_t value, const std::vector<std::size_t>& placed) const {
    std::int64_t offset = 0;
    for (const std::size_t other : placed) {
      if (!lifetimes_[value].overlaps(lifetimes_[other])) continue;
      if (offset + aligned(value) <= plan_.offset[other]) break;
      offset = std::max(offset, plan_.offset[other] + aligned(other));
    }
    return offset;
  }

  std::int64_t aligned(std::size_t value) const {
    return (bytes_[value] + MemoryPlan::kAlignment - 1) / MemoryPlan::kAlignment * MemoryPlan::kAlignment;
  }

  void find_live_bytes() {
    for (std::size_t s = 0; s <= schedule_.steps.size(); ++s) {
      std::int64_t live = 0;
      for (const std::size_t value : owners())
        if (lifetimes_[value].first <= s && s <= lifetimes_[value].last) live += aligned(value);
      plan_.live_bytes = std::max(plan_.live_bytes, live);
    }
  }

  const Schedule& schedule_;
  const std::vector<std::int64_t>& bytes_;
  const std::vector<Sharing>& sharing_;
  std::vector<Lifetime> lifetimes_;  // of an owner: of all values that have its memory
  MemoryPlan plan_;
};

}  // namespace

MemoryPlan plan_memory(const Schedule& schedule, const std::vector<std::int64_t>& bytes,
                       const std::vector<Sharing>& sharing) {
  return Planner(schedule, bytes, sharing).plan();
}

}  // namespace samebits::runtime
