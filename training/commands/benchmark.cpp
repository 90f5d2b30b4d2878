// samebits benchmark: runs side by side, in float, on integers and as packages: size, time and score.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "io/atomic_file.h"
#include "training/commands/commands.h"
#include "training/commands/exit_codes.h"
#include "training/commands/opened_run.h"
#include "training/errors.h"
#include "training/report/text.h"
#include "training/ship/contenders.h"

namespace samebits::training {
namespace {

struct Arguments {
  std::vector<std::string> runs;
  TimingOptions timing;
  std::string json_file;
};

void print_table(const std::vector<Contender>& contenders, const Metric& metric) {
  const auto bytes = [](std::int64_t value) { return value < 0 ? std::string("-") : bytes_text(value); };
  std::printf("%-28s %9s %9s %9s %10s %10s %10s %7s %10s %8s\n", "", "in memory", "file", "values",
              "median ms", "10 %", "90 %", "speed", metric.name, "drop");
  const Contender& first = contenders.front();
  for (const Contender& each : contenders) {
    const double median = each.quantile_ms(0.5);
    std::printf("%-28s %9s %9s %9s %10s %10s %10s %6sx %10s %8s\n",
                printable_text(each.run + " " + each.form).c_str(), bytes(each.parameter_bytes).c_str(),
                bytes(each.file_bytes).c_str(), bytes(each.values_bytes).c_str(),
                significant_text(median, 3).c_str(), significant_text(each.quantile_ms(0.1), 3).c_str(),
                significant_text(each.quantile_ms(0.9), 3).c_str(),
                fixed_text(first.quantile_ms(0.5) / median, 2).c_str(), metric.text(each.score).c_str(),
                fixed_text(first.score - each.score, metric.decimals).c_str());
  }
}

int benchmark(const Arguments& arguments) {
  std::vector<OpenedRun> opened;
  std::vector<Contender> contenders;
  opened.reserve(arguments.runs.size());
  for (const std::string& run : arguments.runs) {
    opened.push_back(open_run(run, RunAccess::kRead));
    const std::string metric = opened.back().task->metric().name;
    if (metric != opened.front().task->metric().name)
      throw UsageError("[benchmark] " + run + ": expected a run that measures " +
                       opened.front().task->metric().name + " as the first does, got " + metric);
  }
  for (const OpenedRun& each : opened)
    for (Contender& contender : contenders_of(each.run, *each.task, arguments.timing))
      contenders.push_back(std::move(contender));
  time_in_turn(contenders, arguments.timing);
  const Metric metric = opened.front().task->metric();
  print_table(contenders, metric);
  if (!arguments.json_file.empty())
    io::write_file_atomically(arguments.json_file,
                              to_json(contenders, metric, arguments.timing).dump(2) + "\n");
  return kDone;
}

void add_options(CLI::App& app, Arguments& arguments) {
  app.add_option("RUN", arguments.runs, "folders of runs; the first is what others are compared with")
      ->required();
  app.add_option("--batch", arguments.timing.batch, "examples a call")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--calls", arguments.timing.calls, "of each form, in turn")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--json", arguments.json_file, "also write the figures to a file");
}

}  // namespace

Command benchmark_command() {
  const auto arguments = std::make_shared<Arguments>();
  return {.name = "benchmark",
          .group = "Look at a run",
          .summary = "Size, time and score of runs, in float, on integers and as packages",
          .example =
              "samebits benchmark runs/fashion_mnist_cnn_int8/latest --batch 64\n"
              "Forms are called in turn; times are of this machine as busy as it is.",
          .add_options = [arguments](CLI::App& app) { add_options(app, *arguments); },
          .run = [arguments] { return benchmark(*arguments); }};
}

}  // namespace samebits::training
