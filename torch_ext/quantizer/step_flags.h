// What stood in a layer's input or weight that is no finite number, gathered over a step and read at once. On
// the CPU a flag is looked at when it is raised, which costs nothing; on a device a look would wait, so flags
// are kept there until the first gradient of the step: a step of NaNs ends in an error before an optimizer
// sees it. A step that a CUDA graph replays reads nothing; check() tells what its last replay saw.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace samebits {

/// A flag and what to say when it is raised: "[qat] fc1: expected numbers …".
struct StepFlag {
  torch::Tensor value;  // bool or int32 of no dimensions
  std::string message;
  std::int32_t bits = -1;  // raised when one of these is set
};

class StepFlags {
 public:
  /// Throws c10::Error with the message when the flag is on the CPU and raised; else keeps it.
  void add(StepFlag flag);
  /// Reads all flags that were kept, in one copy to the host, and forgets them, but for those of a captured
  /// step, which every replay raises anew. Throws c10::Error with the message of the first that was raised.
  void check();
  /// What the first gradient of a step calls: reads the flags of this step alone; or, while the step is
  /// captured in a CUDA graph, keeps them for check(), since nobody may wait then.
  void end_step();
  /// How many are kept.
  std::size_t pending() const;
  /// Keeps the flags of the CPU too, as those of a device: for tests.
  void keep_all(bool keeps) { keeps_all_ = keeps; }

 private:
  mutable std::mutex mutex_;  // backward runs on threads of its own
  std::vector<StepFlag> pending_, captured_;
  bool keeps_all_ = false;
};

}  // namespace samebits
