// samebits verify: the exported files against the training forward, bit for bit.
#include <CLI/CLI.hpp>
#include <memory>

#include "io/atomic_file.h"
#include "training/commands/commands.h"
#include "training/commands/exit_codes.h"
#include "training/commands/opened_run.h"
#include "training/ship/run_exports.h"

namespace samebits::training {
namespace {

struct Arguments {
  std::string run, json_file;
};

int verify_exports(const Arguments& arguments) {
  OpenedRun opened = open_run(arguments.run, RunAccess::kRead);
  const std::vector<VerifyReport> reports = verify_run(opened.run, opened.trained, *opened.task);
  if (reports.empty())
    throw UsageError("[verify] " + opened.run.package().parent_path().string() +
                     ": expected model.samebits or model.onnx, got none; run samebits export " +
                     arguments.run);
  if (!arguments.json_file.empty())
    io::write_file_atomically(arguments.json_file, verify_json(reports).dump(2) + "\n");
  return print_verification(reports) ? kDone : kNo;
}

}  // namespace

Command verify_command() {
  const auto arguments = std::make_shared<Arguments>();
  return {.name = "verify",
          .group = "Ship a run",
          .summary = "Compare the exported files with the training forward, bit for bit",
          .example =
              "samebits verify runs/fashion_mnist_cnn_int8/latest --json verify.json\nExit code 1: "
              "something differs.",
          .add_options =
              [arguments](CLI::App& app) {
                app.add_option("RUN", arguments->run, "folder of a run")->required();
                app.add_option("--json", arguments->json_file, "also write the counts to a file");
              },
          .run = [arguments] { return verify_exports(*arguments); }};
}

}  // namespace samebits::training
