#include "training/commands.h"

#include <CLI/CLI.hpp>
#include <cstdio>
#include <iostream>

#include "runtime/atomic_file.h"
#include "torch_ext/yaml_reader.h"
#include "training/finish.h"
#include "training/interrupt.h"
#include "training/log.h"
#include "training/output_error.h"
#include "training/text.h"
#include "training/trainer.h"

namespace samebits::training {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

constexpr int kInterrupted = 130;  // as a shell reports SIGINT

void print_results(const RunDirectory& run) {
  const ordered_json status = run.read_json("status.json");
  for (const auto& [name, accuracy] : status.at("accuracy").items())
    if (accuracy.is_number()) std::printf("%-9s %6.2f%%\n", name.c_str(), accuracy.get<double>());
}

int print_verification(const std::vector<VerifyReport>& reports) {
  int code = 0;
  for (const VerifyReport& each : reports) {
    std::printf("%s\n", each.text().c_str());
    if (each.differing > 0) code = 1;
  }
  return code;
}

/// Export, proof and report of a trained run.
int finish(RunDirectory& run, const Config& config, PreparedModel& trained, const Datasets& data) {
  log_info("exporting");
  export_run(run, trained, data.test, config.exports);
  log_info("verifying on " + thousands_text(data.test.size()) + " test images");
  const std::vector<VerifyReport> verification = verify_run(run, trained, data.test);
  write_report(run, config, trained, data, verification);
  print_results(run);
  const int code = print_verification(verification);
  std::printf("report    %s\n", (run.path() / "report.html").c_str());
  return code;
}

int train_in(RunDirectory& run, const Config& config, const Datasets& data, bool resume) {
  run.write_json("status.json", {{"state", "running"}});
  log_info("run " + run.path().string());
  Trainer trainer(config, run, data, resume);
  watch_interrupts();
  if (!trainer.run()) {
    run.write_json("status.json", {{"state", "interrupted"}});
    std::printf("interrupted; go on with: samebits train --resume %s\n", run.path().c_str());
    return kInterrupted;
  }
  log_info(trainer.result().prepared->report());
  return finish(run, config, trainer.result(), data);
}

fs::path newest_checkpoint(const RunDirectory& run) {
  return fs::exists(run.checkpoint("final")) ? "final" : "last";
}

struct OpenedRun {
  RunDirectory run;
  Config config;
  Datasets data;
  PreparedModel trained;
};

OpenedRun open_run(const std::string& path) {
  RunDirectory run = RunDirectory::open(path);
  Config config = run.config();
  set_up_process(config);
  Datasets data = load_datasets(config.data);
  PreparedModel trained = load_trained(run, config, data.test, newest_checkpoint(run));
  return {std::move(run), std::move(config), std::move(data), std::move(trained)};
}

int report_error(const std::string& text, int code) {
  std::fflush(stdout);
  std::fprintf(stderr, "error: %s\n", text.c_str());
  return code;
}

/// Errors that the project phrases start with their scope in brackets: something given to it was wrong.
int code_of(const std::string& text) {
  if (text.starts_with("[write]")) return 3;
  return text.starts_with("[") ? 2 : 1;
}

template <class Command>
int guarded(Command command) {
  try {
    return command();
  } catch (const TrainingError& error) {
    return report_error(error.what(), 1);
  } catch (const OutputError& error) {
    return report_error(error.what(), 3);
  } catch (const MissingDependency& error) {
    return report_error(error.what(), 3);
  } catch (const c10::Error& error) {
    return report_error(error.what_without_backtrace(), code_of(error.what_without_backtrace()));
  } catch (const std::exception& error) {
    return report_error(error.what(), code_of(error.what()));
  }
}

}  // namespace

int train(const TrainArguments& arguments) {
  const bool resume = !arguments.resume.empty();
  std::optional<RunDirectory> run;
  if (resume) run = RunDirectory::open(arguments.resume);
  const Config config = resume ? run->config() : load_config(arguments.config, arguments.assignments);
  set_up_process(config);
  const Datasets data = load_datasets(config.data);
  if (!resume) run = RunDirectory::create(config);
  try {
    return train_in(*run, config, data, resume);
  } catch (const std::exception& error) {
    try {
      run->write_json("status.json", {{"state", "failed"}, {"error", error.what()}});
    } catch (const OutputError&) {  // the first error says more
    }
    throw;
  }
}

int eval(const std::string& path, bool package) {
  OpenedRun opened = open_run(path);
  const Evaluation result =
      package ? evaluate_package(opened.run.package(), opened.data.test, opened.config.data.batch_size)
              : evaluate(*opened.trained.model, opened.data.test, opened.config.data.batch_size);
  std::printf("accuracy  %.2f%%\nloss      %.4f\nimages    %s\n", result.accuracy_percent, result.loss,
              thousands_text(opened.data.test.size()).c_str());
  return 0;
}

int export_model(const std::string& path, const std::vector<std::string>& formats) {
  OpenedRun opened = open_run(path);
  if (!opened.trained.prepared.has_value())
    throw std::runtime_error("[export] " + path +
                             ": expected a run that reached its QAT epochs, got one in its float epochs; go on with "
                             "samebits train --resume " + path);
  const std::vector<std::string>& exports = formats.empty() ? opened.config.exports : formats;
  export_run(opened.run, opened.trained, opened.data.test, exports);
  for (const std::string& each : exports)
    std::printf("%s\n", (each == "onnx" ? opened.run.onnx() : opened.run.package()).c_str());
  return 0;
}

int verify_exports(const std::string& path, const std::string& json_file) {
  OpenedRun opened = open_run(path);
  const std::vector<VerifyReport> reports = verify_run(opened.run, opened.trained, opened.data.test);
  if (reports.empty())
    throw std::runtime_error("[verify] " + opened.run.package().parent_path().string() +
                             ": expected model.samebits or model.onnx, got none; run samebits export " + path);
  if (!json_file.empty()) runtime::write_file_atomically(json_file, verify_json(reports).dump(2) + "\n");
  return print_verification(reports);
}

int run_command_line(int argc, char** argv) {
  CLI::App app("Quantization-aware training for LibTorch: the integers you train on are the integers you ship.",
               "samebits");
  app.require_subcommand(1);
  app.set_version_flag("--version", SAMEBITS_VERSION);
  app.footer("samebits COMMAND --help shows the options and an example of a command.");

  TrainArguments train_arguments;
  auto* train_command = app.add_subcommand("train", "Train in float, then on integers; export, verify, report");
  auto* config_option = train_command->add_option("CONFIG", train_arguments.config, "experiment, a YAML file");
  train_command->add_option("--set", train_arguments.assignments, "replace a value: --set train.epochs=2")->allow_extra_args(false);
  train_command->add_option("--resume", train_arguments.resume, "go on with an interrupted run: its folder")
      ->excludes(config_option);
  train_command->footer("Example: samebits train configs/fashion_mnist_cnn_int8.yaml --set qat.epochs=1");

  std::string run, json_file;
  bool package = false;
  std::vector<std::string> formats;
  auto* eval_command = app.add_subcommand("eval", "Accuracy and loss of a run's model on its test set");
  eval_command->add_option("RUN", run, "folder of a run")->required();
  eval_command->add_flag("--package", package, "of the exported package, run without LibTorch");
  eval_command->footer("Example: samebits eval runs/fashion_mnist_cnn_int8/latest --package");

  auto* export_command = app.add_subcommand("export", "Write a run's model as package and ONNX file");
  export_command->add_option("RUN", run, "folder of a run")->required();
  export_command->add_option("--format", formats, "package, onnx; default: as configured")
      ->check(CLI::IsMember({"package", "onnx"}));
  export_command->footer("Example: samebits export runs/fashion_mnist_cnn_int8/latest --format onnx");

  auto* verify_command = app.add_subcommand("verify", "Compare the exported files with the training forward, bit for bit");
  verify_command->add_option("RUN", run, "folder of a run")->required();
  verify_command->add_option("--json", json_file, "also write the counts to a file");
  verify_command->footer("Exit code 1: something differs.\nExample: samebits verify runs/fashion_mnist_cnn_int8/latest --json verify.json");

  auto* doctor_command = app.add_subcommand("doctor", "What this machine has, which kernels run here and why others do not");
  doctor_command->footer("Example: SAMEBITS_ISA=avx2 samebits doctor");

  try {
    app.parse(argc, argv);
    if (*train_command && train_arguments.config.empty() && train_arguments.resume.empty())
      throw CLI::ValidationError("CONFIG", "expected a YAML file, or --resume RUN; see configs/");
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
  return guarded([&] {
    if (*train_command) return train(train_arguments);
    if (*eval_command) return eval(run, package);
    if (*export_command) return export_model(run, formats);
    if (*verify_command) return verify_exports(run, json_file);
    return doctor();
  });
}

}  // namespace samebits::training
