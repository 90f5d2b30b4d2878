// samebits eval: loss and metric of a run's model on its test set.
#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <memory>

#include "training/commands/commands.h"
#include "training/commands/exit_codes.h"
#include "training/commands/opened_run.h"
#include "training/loop/evaluate.h"
#include "training/report/text.h"

namespace samebits::training {
namespace {

struct Arguments {
  std::string run;
  bool package = false;
};

int eval(const Arguments& arguments) {
  OpenedRun opened = open_run(arguments.run, RunAccess::kRead);
  const std::int64_t batch_size = opened.config.data.batch_size;
  const Evaluation result = arguments.package
                                ? evaluate_package(opened.run.package(), *opened.task, batch_size)
                                : evaluate(opened.trained.model, *opened.task, batch_size);
  const Metric metric = opened.task->metric();
  // Names in a column, two spaces before what they are.
  const int width = std::max(10, static_cast<int>(std::strlen(metric.name)) + 2);
  const auto line = [&](const char* name, const std::string& value) {
    std::printf("%-*s%s\n", width, name, value.c_str());
  };
  char loss[32];
  std::snprintf(loss, sizeof(loss), "%.4f", result.loss);
  line(metric.name, metric.text(result.score));
  line("loss", loss);
  line("examples", thousands_text(opened.task->test().size()));
  return kDone;
}

}  // namespace

Command eval_command() {
  const auto arguments = std::make_shared<Arguments>();
  return {.name = "eval",
          .group = "Look at a run",
          .summary = "Accuracy and loss of a run's model on its test set",
          .example = "samebits eval runs/fashion_mnist_cnn_int8/latest --package",
          .add_options =
              [arguments](CLI::App& app) {
                app.add_option("RUN", arguments->run, "folder of a run")->required();
                app.add_flag("--package", arguments->package,
                             "of the exported package, run without LibTorch");
              },
          .run = [arguments] { return eval(*arguments); }};
}

}  // namespace samebits::training
