// Where the values of a schedule lie: offsets in one block of memory, which values share when they do not
// live at the same time. A value lives from the step that makes it to the last one that reads it, a result to
// the end.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "runtime/evaluator.h"
#include "runtime/schedule.h"

namespace samebits::runtime {

struct MemoryPlan {
  /// Of each value that a step makes: where it begins, a multiple of kAlignment.
  std::vector<std::int64_t> offset;
  /// Of each value: the one whose memory it has, itself when it has its own; an input of the graph when it is
  /// a view of that.
  std::vector<std::size_t> owner;
  std::int64_t bytes = 0;       // of the block: the peak
  std::int64_t live_bytes = 0;  // the most that lives during a step: no plan needs less

  static constexpr std::int64_t kAlignment = 64;
};

/// `bytes` of each value; `sharing` of each step. The same for the same arguments.
MemoryPlan plan_memory(const Schedule& schedule, const std::vector<std::int64_t>& bytes,
                       const std::vector<Sharing>& sharing);

}  // namespace samebits::runtime
