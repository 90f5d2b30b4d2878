// The exact text of the progress line, on a terminal and in a file, under a clock that the test moves.
#include "training/report/progress.h"

#include <gtest/gtest.h>

#include <cmath>
#include <sstream>

namespace samebits::training {
namespace {

const ProgressState kState{.epoch = 2,
                           .epochs = 3,
                           .phase = "quantizing",
                           .step = 180,
                           .steps = 469,
                           .samples_per_step = 128,
                           .loss = 0.23144,
                           .score = "accuracy 91.42%",
                           .step_ms = 12.34};
const std::string kLine =
    "epoch 2/3  quantizing  step 180/469  loss 0.2314  accuracy 91.42%  12.3 ms/step  10373 samples/s  0:10 "
    "left";

ProgressState with(void (*change)(ProgressState&)) {
  ProgressState state = kState;
  change(state);
  return state;
}

TEST(ProgressLine, LeavesOutWhatIsNotKnown) {
  const struct {
    const char* why;
    ProgressState state;
    std::string line;
  } kCases[] = {
      {"everything is known", kState, kLine},
      {"the first step of a run", with([](ProgressState& s) { s.loss = s.step_ms = NAN, s.score.clear(); }),
       "epoch 2/3  quantizing  step 180/469"},
      {"no phase", with([](ProgressState& s) { s.phase = "", s.step_ms = NAN; }),
       "epoch 2/3  step 180/469  loss 0.2314  accuracy 91.42%"},
      {"a step that took no time yet", with([](ProgressState& s) { s.step_ms = 0; }),
       "epoch 2/3  quantizing  step 180/469  loss 0.2314  accuracy 91.42%"},
      {"no batch size", with([](ProgressState& s) { s.samples_per_step = 0; }),
       "epoch 2/3  quantizing  step 180/469  loss 0.2314  accuracy 91.42%  12.3 ms/step  0:10 left"},
      {"a loss that ran away", with([](ProgressState& s) { s.loss = 1.5e20, s.step_ms = NAN; }),
       "epoch 2/3  quantizing  step 180/469  loss 1.5e+20  accuracy 91.42%"},
      {"an infinite loss is shown", with([](ProgressState& s) { s.loss = INFINITY, s.step_ms = NAN; }),
       "epoch 2/3  quantizing  step 180/469  loss inf  accuracy 91.42%"},
      {"nothing is left", with([](ProgressState& s) { s.epoch = 3, s.step = 469; }),
       "epoch 3/3  quantizing  step 469/469  loss 0.2314  accuracy 91.42%  12.3 ms/step  10373 samples/s  "
       "0:00 left"},
      {"hours are left", with([](ProgressState& s) { s.epochs = 1000; }),
       "epoch 2/1000  quantizing  step 180/469  loss 0.2314  accuracy 91.42%  12.3 ms/step  10373 samples/s  "
       "1:36:20 "
       "left"},
  };
  for (const auto& c : kCases) EXPECT_EQ(progress_line(c.state), c.line) << c.why;
}

/// What a Progress writes, and the clock it sees.
struct Screen {
  std::ostringstream stream;
  double now = 100;

  ProgressOutput output(bool is_tty, int columns) {
    return {.stream = &stream, .is_tty = is_tty, .columns = columns, .seconds = [this] { return now; }};
  }
  std::string take() {
    const std::string text = stream.str();
    stream.str("");
    return text;
  }
};

TEST(Progress, WritesALineEveryFiveSecondsAndAtTheEndOfAnEpochWhenPiped) {
  Screen screen;
  {
    Progress progress(screen.output(false, 80));
    progress.update(kState);
    EXPECT_EQ(screen.take(), "");
    screen.now = 104.9;
    progress.update(kState);
    EXPECT_EQ(screen.take(), "");
    screen.now = 105;
    progress.update(kState);
    EXPECT_EQ(screen.take(), kLine + "\n");
    screen.now = 109.9;
    progress.update(kState);
    EXPECT_EQ(screen.take(), "");
    progress.finish_epoch(kState);
    EXPECT_EQ(screen.take(), kLine + "\n");
    screen.now = 114.8;  // five seconds count from the last line
    progress.update(kState);
    progress.clear();
  }
  EXPECT_EQ(screen.take(), "");
}

TEST(Progress, RedrawsInPlaceTenTimesASecondAtMostOnATerminal) {
  Screen screen;
  const std::string drawn =
      "\r\x1b[Kepoch 2/3  quantizing  [=========>                  ]  step 180/469  loss 0.2314  accuracy "
      "91.42%  12.3 "
      "ms/step  10373 samples/s  0:10 left";
  {
    Progress progress(screen.output(true, 200));
    progress.update(kState);
    EXPECT_EQ(screen.take(), drawn);
    screen.now = 100.09;
    progress.update(kState);
    EXPECT_EQ(screen.take(), "");
    screen.now = 100.11;
    progress.update(kState);
    EXPECT_EQ(screen.take(), drawn);
    progress.finish_epoch(kState);
    EXPECT_EQ(screen.take(), "\r\x1b[K" + kLine + "\n");
    screen.now = 101;
    progress.update(kState);
    EXPECT_EQ(screen.take(), drawn);
    progress.clear();
    progress.clear();
    EXPECT_EQ(screen.take(), "\r\x1b[K");
    screen.now = 102;
    progress.update(kState);
    screen.take();
  }
  EXPECT_EQ(screen.take(), "\r\x1b[K");
}

TEST(Progress, FitsTheTerminal) {
  for (const int columns : {1, 40, 80, 107, 108, 120, 121, 140, 300}) {
    SCOPED_TRACE(columns);
    Screen screen;
    Progress progress(screen.output(true, columns));
    progress.update(kState);
    const std::string line = screen.take().substr(4);
    EXPECT_LT(static_cast<int>(line.size()), columns);
    const bool has_bar = line.find('[') != std::string::npos;
    EXPECT_EQ(has_bar, columns >= static_cast<int>(kLine.size()) + 1 + 8 + 2) << line;
    if (!has_bar) {
      EXPECT_EQ(line, kLine.substr(0, static_cast<std::size_t>(columns - 1)));
    }
  }
}

TEST(Progress, FillsTheBarWithTheShareOfTheEpoch) {
  const struct {
    std::int64_t step, steps;
    std::string bar;
  } kCases[] = {
      {0, 100, "[                            ]"},   {1, 100, "[                            ]"},
      {4, 100, "[>                           ]"},   {50, 100, "[=============>              ]"},
      {100, 100, "[============================]"}, {200, 100, "[============================]"},
      {0, 0, "[                            ]"},
  };
  for (const auto& c : kCases) {
    Screen screen;
    Progress progress(screen.output(true, 200));
    progress.update({.phase = "fp32", .step = c.step, .steps = c.steps});
    EXPECT_EQ(screen.take(), "\r\x1b[Kepoch 1/1  fp32  " + c.bar + "  step " + std::to_string(c.step) + "/" +
                                 std::to_string(c.steps));
  }
}

}  // namespace
}  // namespace samebits::training
