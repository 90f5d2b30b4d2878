#include "training/commands/commands.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <functional>

#include "io/atomic_file.h"
#include "torch_ext/config/yaml_reader.h"
#include "training/commands/finish.h"
#include "training/interrupt.h"
#include "training/log.h"
#include "training/report/text.h"
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
  return text.starts_with("[") ? 2 : 1;
}

/// What to tell: c10::Error adds a backtrace to what() that is nobody's business here.
std::string text_of(const std::exception& error) {
  const auto* c10_error = dynamic_cast<const c10::Error*>(&error);
  return c10_error != nullptr ? c10_error->what_without_backtrace() : error.what();
}

template <class Command>
int guarded(Command command) {
  try {
    return command();
  } catch (const TrainingError& error) {
    return report_error(error.what(), 1);
  } catch (const io::WriteError& error) {
    return report_error(error.what(), 3);
  } catch (const MissingDependency& error) {
    return report_error(error.what(), 3);
  } catch (const std::exception& error) {
    return report_error(text_of(error), code_of(text_of(error)));
  }
}

}  // namespace

int train(const TrainArguments& arguments) {
  const bool resume = !arguments.resume.empty();
  std::optional<RunDirectory> run;
  if (resume) run = RunDirectory::open(arguments.resume);
  const Config config = resume ? run->config() : load_config(arguments.config, arguments.assignments);
  const Datasets data = load_datasets(config.data);
  check_trainable(config, data);
  set_up_process(config);
  if (!resume) run = RunDirectory::create(config);
  try {
    return train_in(*run, config, data, resume);
  } catch (const std::exception& error) {
    try {
      run->write_json("status.json", {{"state", "failed"}, {"error", text_of(error)}});
    } catch (const io::WriteError&) {  // the first error says more
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
    throw std::runtime_error(
        "[export] " + path +
        ": expected a run that reached its QAT epochs, got one in its float epochs; go on with "
        "samebits train --resume " +
        path);
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
                             ": expected model.samebits or model.onnx, got none; run samebits export " +
                             path);
  if (!json_file.empty()) io::write_file_atomically(json_file, verify_json(reports).dump(2) + "\n");
  return print_verification(reports);
}

namespace {

/// The command line, and what it asks for.
class CommandLine {
 public:
  CommandLine() {
    app_.require_subcommand(1);
    app_.set_version_flag("--version", SAMEBITS_VERSION);
    app_.footer("samebits COMMAND --help shows the options and an example of a command.");
    app_.failure_message([this](const CLI::App*, const CLI::Error& error) {
      const std::string text = error.what();
      return "error: [samebits] " + text + (text.ends_with("?") ? "\n" : "; " + usage() + "\n");
    });
    add_train();
    add_eval();
    add_export();
    add_verify();
    add("doctor", "What this machine has, which kernels run here and why others do not",
        "SAMEBITS_ISA=avx2 samebits doctor", doctor);
  }

  /// The exit code when there is nothing to run: help was asked for, or the arguments are wrong.
  std::optional<int> parse(int argc, char** argv) {
    try {
      check_command(argc > 1 ? argv[1] : "");
      app_.parse(argc, argv);
      return std::nullopt;
    } catch (const CLI::ParseError& error) {
      return app_.exit(error) == 0 ? 0 : 2;
    }
  }

  int run() const { return command_(); }

 private:
  CLI::App* add(const std::string& name, const std::string& text, const std::string& example,
                std::function<int()> command) {
    names_.push_back(name);
    CLI::App* added = app_.add_subcommand(name, text);
    added->footer("Example: " + example);
    added->callback([this, command] { command_ = command; });
    return added;
  }
  void add_run_option(CLI::App* command) { command->add_option("RUN", run_, "folder of a run")->required(); }

  void add_train() {
    CLI::App* command = add("train", "Train in float, then on integers; export, verify, report",
                            "samebits train configs/fashion_mnist_cnn_int8.yaml --set qat.epochs=1",
                            [this] { return train(train_); });
    auto* config = command->add_option("CONFIG", train_.config, "experiment, a YAML file");
    auto* set = command->add_option("--set", train_.assignments, "replace a value: --set train.epochs=2");
    set->allow_extra_args(false);
    auto* resume =
        command->add_option("--resume", train_.resume, "go on with an interrupted run: its folder");
    resume->excludes(config)->excludes(set);
    command->parse_complete_callback([this] {
      if (train_.config.empty() && train_.resume.empty())
        throw CLI::ValidationError("CONFIG", "expected a YAML file or --resume RUN, got none");
    });
  }
  void add_eval() {
    CLI::App* command = add("eval", "Accuracy and loss of a run's model on its test set",
                            "samebits eval runs/fashion_mnist_cnn_int8/latest --package",
                            [this] { return eval(run_, package_); });
    add_run_option(command);
    command->add_flag("--package", package_, "of the exported package, run without LibTorch");
  }
  void add_export() {
    CLI::App* command = add("export", "Write a run's model as package and ONNX file",
                            "samebits export runs/fashion_mnist_cnn_int8/latest --format onnx",
                            [this] { return export_model(run_, formats_); });
    add_run_option(command);
    command->add_option("--format", formats_, "package, onnx; default: as configured")
        ->check(CLI::IsMember({"package", "onnx"}))
        ->allow_extra_args(false);
  }
  void add_verify() {
    CLI::App* command =
        add("verify", "Compare the exported files with the training forward, bit for bit",
            "samebits verify runs/fashion_mnist_cnn_int8/latest --json verify.json\nExit code 1: "
            "something differs.",
            [this] { return verify_exports(run_, json_file_); });
    add_run_option(command);
    command->add_option("--json", json_file_, "also write the counts to a file");
  }

  void check_command(const std::string& word) const {
    if (word.starts_with("-") || std::count(names_.begin(), names_.end(), word) > 0) return;
    const std::string nearest = nearest_name(word, names_);
    throw CLI::ValidationError("expected " + alternatives(names_) + ", got " +
                               (word.empty() ? "none" : "\"" + word + "\"") +
                               (nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?"));
  }
  std::string usage() const {
    const auto parsed = app_.get_subcommands();
    if (parsed.empty()) return "samebits --help lists them";
    return "samebits " + parsed.front()->get_name() + " --help shows an example";
  }

  CLI::App app_{
      "Quantization-aware training for LibTorch: the integers you train on are the integers you ship.",
      "samebits"};
  std::vector<std::string> names_;
  std::function<int()> command_;
  TrainArguments train_;
  std::string run_, json_file_;
  bool package_ = false;
  std::vector<std::string> formats_;
};

}  // namespace

int run_command_line(int argc, char** argv) {
  CommandLine command_line;
  if (const std::optional<int> code = command_line.parse(argc, argv)) return *code;
  return guarded([&] { return command_line.run(); });
}

}  // namespace samebits::training
