// The line that shows how training goes: redrawn in place on a terminal, whole lines now and then elsewhere.
// Everything in it comes from the ProgressState that the caller passes; this file decides form and frequency.
#pragma once

#include <cstdint>
#include <functional>
#include <iosfwd>
#include <limits>
#include <string>

namespace samebits::training {

/// Where training stands. NaN values are left out of the line.
struct ProgressState {
  int epoch = 1, epochs = 1;          // 1 is the first
  std::string phase;                  // "fp32", "observing", "quantizing" or "frozen"
  std::int64_t step = 0, steps = 0;   // done, of this epoch
  std::int64_t samples_per_step = 0;  // 0: unknown
  double loss = std::numeric_limits<double>::quiet_NaN();
  std::string score;                                          // "accuracy 91.42%"; empty: left out
  double step_ms = std::numeric_limits<double>::quiet_NaN();  // the recent average
};

/// "epoch 2/3  quantizing  step 180/469  loss 0.2314  accuracy 91.42%  12.3 ms/step  1234 samples/s  0:41
/// left". What is left is the steps of this epoch and of those after it, at step_ms each: without
/// evaluations.
std::string progress_line(const ProgressState& state);

/// Where lines go. `columns` is the width that a redrawn line must not exceed; `seconds` is a clock of any
/// origin.
struct ProgressOutput {
  std::ostream* stream = nullptr;
  bool is_tty = false;
  int columns = 80;
  std::function<double()> seconds;

  /// stderr, its width, and the steady clock.
  static ProgressOutput for_stderr();
};

class Progress {
 public:
  explicit Progress(ProgressOutput output = ProgressOutput::for_stderr());
  ~Progress();  // leaves an empty line to write on
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Call it after every step. On a terminal it redraws at most 10 times a second; otherwise it writes a line
  /// when 5 seconds have passed since the last one.
  void update(const ProgressState& state);

  /// Writes the epoch's last line, which stays.
  void finish_epoch(const ProgressState& state);

  /// Takes the redrawn line away, so that something else can be written; the next update brings it back.
  void clear();

 private:
  ProgressOutput output_;
  double last_seconds_;
  bool is_drawn_ = false;
};

}  // namespace samebits::training
