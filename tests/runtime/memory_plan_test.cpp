// runtime/memory_plan.h: values that live at the same time never share memory, others do, for random
// schedules and by hand.
#include "runtime/memory_plan.h"

#include <gmock/gmock.h>

#include <random>

namespace samebits::runtime {
namespace {

/// A schedule of one input, and steps that each read some values and make one.
struct Plan {
  Schedule schedule;
  std::vector<std::int64_t> bytes = {1 << 20};
  std::vector<Sharing> sharing;

  Plan() { schedule.inputs = schedule.values = 1; }
  /// Returns the value that the step makes.
  std::size_t add(std::vector<std::size_t> inputs, std::int64_t size, Sharing share = Sharing::kNone) {
    Step step;
    step.inputs = std::move(inputs);
    step.outputs = {schedule.values++};
    schedule.steps.push_back(step);
    bytes.push_back(size);
    sharing.push_back(share);
    return step.outputs[0];
  }
  MemoryPlan made() const { return plan_memory(schedule, bytes, sharing); }
};

TEST(MemoryPlan, ReusesTheMemoryOfAChain) {
  Plan plan;
  std::size_t value = 0;
  for (int i = 0; i < 10; ++i) value = plan.add({value}, 640);
  plan.schedule.results = {value};
  EXPECT_EQ(plan.made().bytes, 2 * 640);
  EXPECT_EQ(plan.made().live_bytes, 2 * 640);
}

TEST(MemoryPlan, WorksInPlaceWhereNobodyReadsTheInputAgain) {
  Plan plan;
  const std::size_t a = plan.add({0}, 100), b = plan.add({a}, 100, Sharing::kInPlace),
                    c = plan.add({b}, 100, Sharing::kInPlace);
  plan.schedule.results = {c};
  EXPECT_EQ(plan.made().bytes, 128);  // to whole lines
  EXPECT_EQ(plan.made().owner, (std::vector<std::size_t>{0, a, a, a}));
  plan.schedule.results = {b, c};  // b is wanted as it was
  EXPECT_EQ(plan.made().owner, (std::vector<std::size_t>{0, a, a, c}));
}

TEST(MemoryPlan, NeverWritesOverAnInputOfTheGraph) {
  Plan plan;
  const std::size_t y = plan.add({0}, 1 << 20, Sharing::kInPlace);
  plan.schedule.results = {y};
  EXPECT_EQ(plan.made().owner[y], y);
}

TEST(MemoryPlan, NeverWritesInPlaceOverAnotherSize) {
  Plan plan;
  const std::size_t a = plan.add({0}, 64), y = plan.add({a}, 128, Sharing::kInPlace);
  plan.schedule.results = {y};
  EXPECT_EQ(plan.made().owner[y], y);
}

TEST(MemoryPlan, LetsAViewLiveInWhatItIsAViewOf) {
  Plan plan;
  const std::size_t a = plan.add({0}, 64), view = plan.add({a}, 64, Sharing::kView), b = plan.add({0}, 64),
                    c = plan.add({view, b}, 64, Sharing::kInPlace),
                    of_input = plan.add({0}, 64, Sharing::kView);
  plan.schedule.results = {c, of_input};
  const MemoryPlan made = plan.made();
  EXPECT_EQ(made.owner, (std::vector<std::size_t>{0, a, a, b, a, 0}));
  EXPECT_NE(made.offset[a], made.offset[b]);  // which is made while the view lives
  EXPECT_EQ(made.bytes, 128);
}

TEST(MemoryPlan, PutsSmallValuesIntoWhatALargeOneLeft) {
  Plan plan;
  const std::size_t large = plan.add({0}, 640), a = plan.add({large}, 64), b = plan.add({a}, 320),
                    c = plan.add({a, b}, 320), d = plan.add({b, c}, 64);
  plan.schedule.results = {d};
  EXPECT_EQ(plan.made().bytes, 704);
}

/// Of each value: the first and the last step in which its memory must be its own.
std::pair<std::size_t, std::size_t> lifetime(const Plan& plan, std::size_t value) {
  const std::vector<Step>& steps = plan.schedule.steps;
  const std::size_t first = value - plan.schedule.inputs;  // the step that makes it
  std::size_t last = first;
  for (std::size_t s = 0; s < steps.size(); ++s)
    if (std::ranges::count(steps[s].inputs, value) != 0) last = s;
  if (std::ranges::count(plan.schedule.results, value) != 0) last = steps.size();
  return {first, last};
}

/// Values whose lives meet lie apart, but for what a step may share.
void expect_sound(const Plan& plan, const MemoryPlan& made) {
  for (std::size_t a = plan.schedule.inputs; a < plan.schedule.values; ++a) {
    EXPECT_EQ(made.offset[a] % MemoryPlan::kAlignment, 0);
    if (made.owner[a] == 0) continue;
    EXPECT_LE(made.offset[a] + plan.bytes[a], made.bytes);
    for (std::size_t b = a + 1; b < plan.schedule.values; ++b) {
      if (made.owner[b] == 0) continue;
      const auto [first_a, last_a] = lifetime(plan, a);
      const auto [first_b, last_b] = lifetime(plan, b);
      const Step& maker = plan.schedule.steps[first_b];
      const bool is_apart = made.offset[a] + plan.bytes[a] <= made.offset[b] ||
                            made.offset[b] + plan.bytes[b] <= made.offset[a];
      const bool are_of_one_owner = made.owner[a] == made.owner[b];
      const bool overwrites =
          plan.sharing[first_b] == Sharing::kInPlace && maker.inputs[0] != 0 && are_of_one_owner;
      const bool meet = overwrites ? last_a > first_b : last_a >= first_b && !are_of_one_owner;
      EXPECT_TRUE(!meet || is_apart) << a << " and " << b;
    }
  }
}

TEST(MemoryPlan, NeverSharesAmongValuesThatLive) {
  std::mt19937 random(5);
  const auto below = [&](std::size_t n) { return random() % n; };
  std::int64_t planned = 0, live = 0;
  for (int round = 0; round < 500; ++round) {
    SCOPED_TRACE(testing::Message() << "schedule " << round);
    Plan plan;
    const std::size_t count = 1 + below(20);
    while (plan.schedule.steps.size() < count) {
      const auto share = static_cast<Sharing>(below(3));
      const std::size_t x = below(2) == 0 ? plan.schedule.values - 1 : below(plan.schedule.values);
      std::vector<std::size_t> inputs = {x};
      if (below(3) == 0) inputs.push_back(below(plan.schedule.values));
      const std::int64_t size =
          share == Sharing::kNone ? 1 + static_cast<std::int64_t>(below(1000)) : plan.bytes[x];
      plan.add(inputs, size, share);
    }
    plan.schedule.results = {plan.schedule.values - 1, below(plan.schedule.values)};
    const MemoryPlan made = plan.made();
    expect_sound(plan, made);
    EXPECT_LE(made.live_bytes, made.bytes);
    planned += made.bytes;
    live += made.live_bytes;
  }
  EXPECT_LT(planned, live + live / 10);  // what fragments waste
}

}  // namespace
}  // namespace samebits::runtime
