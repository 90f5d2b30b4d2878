// What the line says (progress_line), how it fits a terminal (terminal_line), and when it is written
// (Progress).
#include "training/report/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <iostream>
#include <utility>

#include "training/report/text.h"

namespace samebits::training {
namespace {

constexpr double kRedrawSeconds = 0.1, kLineSeconds = 5;
constexpr int kMinBar = 8, kMaxBar = 30;
constexpr char kEraseLine[] = "\r\x1b[K";

double steps_left(const ProgressState& state) {
  const auto epochs_after = static_cast<double>(std::max(0, state.epochs - state.epoch));
  const auto here = static_cast<double>(std::max<std::int64_t>(0, state.steps - state.step));
  return here + epochs_after * static_cast<double>(state.steps);
}

std::string line_head(const ProgressState& state) {
  const std::string epoch = formatted("epoch %d/%d", state.epoch, state.epochs);
  return state.phase.empty() ? epoch : epoch + "  " + state.phase;
}

std::string line_tail(const ProgressState& state) {
  std::string text =
      formatted("step %lld/%lld", static_cast<long long>(state.step), static_cast<long long>(state.steps));
  if (!std::isnan(state.loss)) {
    text += formatted(std::fabs(state.loss) < 1e4 ? "  loss %.4f" : "  loss %.3g", state.loss);
  }
  if (!state.score.empty()) text += "  " + state.score;
  if (!(state.step_ms > 0)) return text;
  text += formatted("  %.1f ms/step", state.step_ms);
  if (state.samples_per_step > 0) {
    text += formatted("  %.0f samples/s", static_cast<double>(state.samples_per_step) * 1000 / state.step_ms);
  }
  return text + "  " + duration_text(steps_left(state) * state.step_ms / 1000) + " left";
}

/// "[=====>    ]", `width` characters in all.
std::string bar(std::int64_t step, std::int64_t steps, int width) {
  const int room = width - 2;
  const double share =
      steps > 0 ? std::clamp(static_cast<double>(step) / static_cast<double>(steps), 0.0, 1.0) : 0;
  const int done = static_cast<int>(share * room);
  std::string text(static_cast<std::size_t>(done), '=');
  if (done > 0 && done < room) text.back() = '>';
  text.resize(static_cast<std::size_t>(room), ' ');
  return "[" + text + "]";
}

/// The line with a bar as wide as the terminal allows, or without one, or cut.
std::string terminal_line(const ProgressState& state, int columns) {
  const int room = columns - 1;  // a full last column makes some terminals wrap
  const std::string head = line_head(state), tail = line_tail(state);
  const int bar_room = room - static_cast<int>(head.size() + tail.size()) - 4;
  if (bar_room >= kMinBar) {
    return head + "  " + bar(state.step, state.steps, std::min(bar_room, kMaxBar)) + "  " + tail;
  }
  return (head + "  " + tail).substr(0, static_cast<std::size_t>(std::max(room, 0)));
}

}  // namespace

std::string progress_line(const ProgressState& state) {
  return line_head(state) + "  " + line_tail(state);
}

ProgressOutput ProgressOutput::for_stderr() {
  ProgressOutput output;
  output.stream = &std::cerr;
  output.is_tty = isatty(STDERR_FILENO) == 1;
  winsize size{};
  if (output.is_tty && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
    output.columns = size.ws_col;
  output.seconds = [] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  };
  return output;
}

Progress::Progress(ProgressOutput output) : output_(std::move(output)), last_seconds_(output_.seconds()) {
  if (output_.is_tty) last_seconds_ = -INFINITY;  // the first update is drawn at once
}

Progress::~Progress() {
  clear();
}

void Progress::update(const ProgressState& state) {
  const double now = output_.seconds();
  if (now - last_seconds_ < (output_.is_tty ? kRedrawSeconds : kLineSeconds)) return;
  last_seconds_ = now;
  if (output_.is_tty) {
    *output_.stream << kEraseLine << terminal_line(state, output_.columns) << std::flush;
    is_drawn_ = true;
  } else {
    *output_.stream << progress_line(state) << '\n' << std::flush;
  }
}

void Progress::finish_epoch(const ProgressState& state) {
  clear();
  *output_.stream << progress_line(state) << '\n' << std::flush;
  last_seconds_ = output_.seconds();
}

void Progress::clear() {
  if (is_drawn_) *output_.stream << kEraseLine << std::flush;
  is_drawn_ = false;
}

}  // namespace samebits::training
