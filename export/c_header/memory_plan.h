// Where values lie in one piece of memory, when each lives for some steps only.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace samebits {

/// Bytes that are needed from step `first` to step `last`, both included.
struct Lifetime {
  std::int64_t bytes;
  std::size_t first, last;
};

struct MemoryPlan {
  std::vector<std::int64_t> offsets;  // of each, multiples of kAlignment
  std::int64_t bytes = 0;             // of all together
  static constexpr std::int64_t kAlignment = 8;
};

/// No two that live at the same time overlap. The largest are placed first, each as low as it goes.
MemoryPlan plan_memory(std::span<const Lifetime> lifetimes);

}  // namespace samebits
