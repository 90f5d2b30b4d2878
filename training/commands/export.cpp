// samebits export: a run's model as package, ONNX file, and in the other formats of export/.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "training/commands/commands.h"
#include "training/commands/exit_codes.h"
#include "training/commands/opened_run.h"
#include "training/report/text.h"
#include "training/ship/run_exports.h"

namespace samebits::training {
namespace {

struct Arguments {
  std::string run;
  std::vector<std::string> formats;
};

int export_model(const Arguments& arguments) {
  OpenedRun opened = open_run(arguments.run, RunAccess::kWrite);
  if (!opened.trained.qat.has_value())
    throw UsageError("[export] " + arguments.run +
                     ": expected a run that reached its QAT epochs, got one in its float epochs; " +
                     (opened.config.qat.epochs == 0 ? "train it with qat.epochs > 0"
                                                    : "go on with samebits train --resume " + arguments.run));
  const std::vector<std::string>& formats =
      arguments.formats.empty() ? opened.config.exports : arguments.formats;
  export_run(opened.run, opened.trained, *opened.task, formats);
  for (const std::string& each : formats) {
    std::printf("%s\n", printable_text(exported_file(opened.run, each).string()).c_str());
  }
  return kDone;
}

}  // namespace

Command export_command() {
  const auto arguments = std::make_shared<Arguments>();
  return {.name = "export",
          .group = "Ship a run",
          .summary = "Write a run's model as package, ONNX file, C header, …",
          .example = "samebits export runs/fashion_mnist_cnn_int8/latest --format onnx",
          .add_options =
              [arguments](CLI::App& app) {
                app.add_option("RUN", arguments->run, "folder of a run")->required();
                app.add_option("--format", arguments->formats,
                               "docs/guides/ship_it.md; default: as configured")
                    ->check(CLI::IsMember(format_names()))
                    ->allow_extra_args(false);
              },
          .run = [arguments] { return export_model(*arguments); }};
}

}  // namespace samebits::training
