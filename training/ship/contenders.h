// A run in each form in which it can compute, side by side: size, time and score of each.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "training/run/run_directory.h"
#include "training/tasks/task.h"

namespace samebits::training {

/// One form of one run.
struct Contender {
  std::string run, form;             // "float", "integers" or "package"
  std::int64_t parameter_bytes = 0;  // parameters and buffers in memory; of a package, its file
  std::int64_t file_bytes = -1;      // what ships; -1: this form does not
  std::int64_t values_bytes = -1;    // the runtime's memory for a batch of the timing; -1: unknown
  double score = 0, loss = 0;        // on the whole test set
  std::vector<double> ms;            // each call, sorted
  std::function<void()> call;        // computes the batch that is timed

  /// The part `p` of calls is not slower: 0.5 is the median. NaN before the first.
  double quantile_ms(double p) const;
};

struct TimingOptions {
  std::int64_t batch = 1, warm_ups = 5, calls = 50;
};

/// The forms of a run that are there: float and integers by LibTorch, the exported package by the runtime.
/// Scores each. The run must outlive them.
std::vector<Contender> contenders_of(const RunDirectory& run, const Task& task, const TimingOptions& options);

/// Calls all of them in turn, so that what disturbs the machine disturbs each alike.
void time_in_turn(std::vector<Contender>& contenders, const TimingOptions& options);

nlohmann::ordered_json to_json(const std::vector<Contender>& contenders, const Metric& metric,
                               const TimingOptions& options);

}  // namespace samebits::training
