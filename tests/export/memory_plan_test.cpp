// export/c_header/memory_plan.h: what lives at the same time does not overlap, and nothing is wasted
// in a chain.
#include "export/c_header/memory_plan.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

namespace samebits {
namespace {

TEST(MemoryPlan, AChainTakesItsLargestPair) {
  const Lifetime chain[] = {{100, 0, 1}, {400, 1, 2}, {80, 2, 3}, {16, 3, 4}};
  EXPECT_EQ(plan_memory(chain).bytes, 504);  // 400 beside 104, a multiple of 8
  EXPECT_EQ(plan_memory({}).bytes, 0);
}

TEST(MemoryPlan, GapsAreFilled) {
  // The first two leave 64 bytes at the bottom when the first has ended.
  const Lifetime lifetimes[] = {{64, 0, 1}, {128, 0, 3}, {64, 2, 3}};
  EXPECT_EQ(plan_memory(lifetimes).bytes, 192);
}

TEST(MemoryPlan, NeverOverlapsWhatLivesAtTheSameTime) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    std::vector<Lifetime> lifetimes;
    std::int64_t sum = 0;
    for (std::size_t i = 0, n = 1 + random() % 20; i < n; ++i) {
      const std::size_t first = random() % 12;
      lifetimes.push_back({static_cast<std::int64_t>(random() % 200), first, first + random() % 5});
      sum += lifetimes.back().bytes + MemoryPlan::kAlignment;
    }
    const MemoryPlan plan = plan_memory(lifetimes);
    EXPECT_LE(plan.bytes, sum);
    for (std::size_t i = 0; i < lifetimes.size(); ++i) {
      const Lifetime& a = lifetimes[i];
      ASSERT_EQ(plan.offsets[i] % MemoryPlan::kAlignment, 0);
      ASSERT_LE(plan.offsets[i] + a.bytes, plan.bytes);
      for (std::size_t j = 0; j < i; ++j) {
        const Lifetime& b = lifetimes[j];
        if (std::max(a.first, b.first) > std::min(a.last, b.last)) continue;
        ASSERT_TRUE(plan.offsets[i] + a.bytes <= plan.offsets[j] ||
                    plan.offsets[j] + b.bytes <= plan.offsets[i])
            << i << " and " << j << " of round " << round;
      }
    }
  }
}

}  // namespace
}  // namespace samebits
