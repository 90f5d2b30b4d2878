// samebits deploy: a run's model in a folder for another machine, loaded and proven there.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>

#include "training/commands/commands.h"
#include "training/commands/exit_codes.h"
#include "training/commands/opened_run.h"
#include "training/errors.h"
#include "training/library_errors.h"
#include "training/report/text.h"
#include "training/ship/deploy.h"
#include "training/ship/run_exports.h"

namespace samebits::training {
namespace {

namespace fs = std::filesystem;

struct Arguments {
  std::string run, target, out;
  bool dry_run = false;
};

void print_runs(const std::vector<ExampleRun>& runs) {
  for (const ExampleRun& each : runs)
    std::printf("%s: %s\n", each.file.c_str(),
                each.not_run.empty() ? (thousands_text(each.differing) + " outputs differ").c_str()
                                     : ("not run: " + printable_text(each.not_run)).c_str());
}

int deploy_run(const Arguments& arguments) {
  const DeployTarget& target = deploy_target(arguments.target);
  const OpenedRun opened = open_run(arguments.run, RunAccess::kRead);
  if (!opened.trained.qat.has_value())
    throw UsageError(
        "[deploy] " + arguments.run +
        ": expected a run that reached its QAT epochs, got one in its float epochs; train it on, "
        "or use samebits ptq");
  const fs::path folder = arguments.out.empty()
                              ? fs::path(opened.config.name + "_" + std::string(target.name))
                              : fs::path(arguments.out);
  if (arguments.dry_run) {
    std::printf("%s: %s\n", printable_text(folder.string()).c_str(), std::string(target.summary).c_str());
    return kDone;
  }
  const Deployed deployed =
      refusing([&] { return deploy(target, folder, opened.trained.model, *opened.task); });
  print_verification(deployed.reports);
  print_runs(deployed.runs);
  std::printf("%s\n", printable_text(folder.string()).c_str());
  return deployed.is_same() ? kDone : kNo;
}

std::vector<std::string> target_names() {
  std::vector<std::string> names;
  for (const DeployTarget& each : deploy_targets()) names.emplace_back(each.name);
  return names;
}

}  // namespace

Command deploy_command() {
  const auto arguments = std::make_shared<Arguments>();
  return {.name = "deploy",
          .group = "Ship a run",
          .summary = "A folder for another machine: model, runtime, loading program, manifest",
          .example = "samebits deploy runs/fashion_mnist_cnn_int8/latest --target edge --out cnn_edge",
          .add_options =
              [arguments](CLI::App& app) {
                app.add_option("RUN", arguments->run, "folder of a run")->required();
                app.add_option("--target", arguments->target, "mobile, desktop, edge or server")
                    ->required()
                    ->check(CLI::IsMember(target_names()));
                app.add_option("--out", arguments->out, "the folder to make; default: NAME_TARGET here");
                app.add_flag("--dry-run", arguments->dry_run, "say what it would hold");
              },
          .run = [arguments] { return deploy_run(*arguments); }};
}

}  // namespace samebits::training
