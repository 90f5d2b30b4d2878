// samebits train: float training, QAT, and what follows.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <optional>

#include "io/atomic_file.h"
#include "training/commands/commands.h"
#include "training/commands/exit_codes.h"
#include "training/library_errors.h"
#include "training/log.h"
#include "training/loop/interrupt.h"
#include "training/loop/trainer.h"
#include "training/report/text.h"
#include "training/ship/run_exports.h"
#include "training/ship/run_report.h"

namespace samebits::training {
namespace {

struct Arguments {
  std::string config;                    // a YAML file; empty with `resume`
  std::vector<std::string> assignments;  // of --set
  std::string resume;                    // a run's folder
};

void print_scores(const RunDirectory& run, const Metric& metric) {
  const nlohmann::ordered_json status = run.read_json("status.json");
  for (const auto& [name, score] : status.at(metric.name).items())
    if (score.is_number())
      std::printf("%-9s %*.*f%s\n", name.c_str(), metric.decimals + 4, metric.decimals, score.get<double>(),
                  metric.unit);
}

/// Export, proof and report of a trained run.
int finish(RunDirectory& run, const Config& config, BuiltModel& trained, const Task& task) {
  std::vector<VerifyReport> verification;
  if (trained.qat.has_value()) {
    log_info("exporting");
    export_run(run, trained, task, config.exports);
    log_info("verifying on " + thousands_text(task.test().size()) + " test examples");
    verification = verify_run(run, trained, task);
  }
  write_report(run, config, trained, task, verification);
  print_scores(run, task.metric());
  const bool is_same = print_verification(verification);
  std::printf("report    %s\n", printable_text((run.path() / "report.html").string()).c_str());
  return is_same ? kDone : kNo;
}

int train_in(RunDirectory& run, const Config& config, const Task& task, bool resume) {
  run.write_json("status.json", {{"state", "running"}});
  log_info("run " + run.path().string());
  Trainer trainer(config, run, task, resume);
  watch_interrupts();
  if (!trainer.run()) {
    run.write_json("status.json", {{"state", "interrupted"}});
    std::printf("interrupted; go on with: samebits train --resume %s\n",
                printable_text(run.path().string()).c_str());
    return kInterrupted;
  }
  if (trainer.result().qat.has_value()) log_info(trainer.result().qat->report());
  return finish(run, config, trainer.result(), task);
}

/// What stopped the run stays in its folder.
void note_failure(const RunDirectory& run, const std::exception& error) {
  try {
    run.write_json("status.json", {{"state", "failed"}, {"error", text_of(error)}});
  } catch (const std::exception&) {  // the first error says more
  }
}

int train(const Arguments& arguments) {
  const bool resume = !arguments.resume.empty();
  std::optional<RunDirectory> run;
  if (resume) {
    run.emplace(RunDirectory::open(arguments.resume));
    run->lock();
  }
  const Config config = resume ? run->config() : load_config(arguments.config, arguments.assignments);
  const std::unique_ptr<Task> task = make_task(config);
  check_trainable(config, *task);
  set_up_process(config);
  if (!resume) run.emplace(RunDirectory::create(config));
  try {
    return train_in(*run, config, *task, resume);
  } catch (const std::exception& error) {
    note_failure(*run, error);
    throw;
  }
}

void add_options(CLI::App& app, Arguments& arguments) {
  auto* config = app.add_option("CONFIG", arguments.config, "experiment, a YAML file");
  auto* set = app.add_option("--set", arguments.assignments, "replace a value: --set train.epochs=2");
  set->allow_extra_args(false);
  auto* resume = app.add_option("--resume", arguments.resume, "go on with an interrupted run: its folder");
  resume->excludes(config)->excludes(set);
  app.parse_complete_callback([&arguments] {
    if (arguments.config.empty() && arguments.resume.empty())
      throw CLI::ValidationError("CONFIG", "expected a YAML file or --resume RUN, got none");
  });
}

}  // namespace

Command train_command() {
  const auto arguments = std::make_shared<Arguments>();
  return {.name = "train",
          .group = "Train",
          .summary = "Train in float, then on integers; export, verify, report",
          .example = "samebits train configs/fashion_mnist_cnn_int8.yaml --set qat.epochs=1",
          .add_options = [arguments](CLI::App& app) { add_options(app, *arguments); },
          .run = [arguments] { return train(*arguments); }};
}

}  // namespace samebits::training
