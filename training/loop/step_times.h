// Durations of training steps.
#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string>
#include <vector>

namespace samebits::training {

/// Durations of an epoch's steps since the phase last changed: observing steps do not count as integer ones.
/// The median is what the report shows: a noisy neighbour does not move it.
class StepTimes {
 public:
  using Clock = std::chrono::steady_clock;

  void start_epoch() {
    begin_ = Clock::now();
    steps_.clear();
  }
  void add(Clock::time_point begin, const std::string& phase) {
    if (phase != phase_) steps_.clear();
    phase_ = phase;
    steps_.push_back(seconds_since(begin));
  }
  double epoch_seconds() const { return seconds_since(begin_); }
  /// NaN before the first step.
  double median_ms() const {
    if (steps_.empty()) return std::nan("");
    std::vector<double> sorted = steps_;
    const auto middle = sorted.begin() + static_cast<std::ptrdiff_t>(sorted.size() / 2);
    std::nth_element(sorted.begin(), middle, sorted.end());
    return 1e3 * *middle;
  }

 private:
  static double seconds_since(Clock::time_point begin) {
    return std::chrono::duration<double>(Clock::now() - begin).count();
  }

  Clock::time_point begin_ = Clock::now();
  std::vector<double> steps_;
  std::string phase_;
};

}  // namespace samebits::training
