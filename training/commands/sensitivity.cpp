// samebits sensitivity: how much a run's model loses when one layer's weight is quantized, layer by layer.
#include <torch/torch.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <memory>

#include "io/sha256.h"
#include "training/commands/commands.h"
#include "training/commands/exit_codes.h"
#include "training/commands/opened_run.h"
#include "training/library_errors.h"
#include "training/plan/sensitivity_file.h"
#include "training/report/progress.h"
#include "training/report/text.h"

namespace samebits::training {
namespace {

constexpr const char* kFile = "sensitivity.json";

struct Arguments {
  std::string run, metric = "loss";
  std::vector<int> bits = {2, 3, 4, 6, 8};
  std::int64_t examples = 1000;
  bool hessian = false, dry_run = false;
};

/// The mean loss and the task's metric over the first training examples.
class Examined {
 public:
  Examined(const OpenedRun& opened, std::int64_t examples)
      : task_(*opened.task), model_(opened.trained.model), size_(opened.config.data.batch_size) {
    count_ = std::min(examples, task_.train().size());
  }
  std::int64_t count() const { return count_; }

  /// Higher is better: minus the loss, or the metric as a fraction of 1.
  double score(bool of_loss) const {
    const EvalGuard eval(*model_.module);
    const torch::NoGradGuard no_grad;
    Totals totals;
    for (std::int64_t begin = 0; begin < count_; begin += size_) {
      const Batch batch = task_.train().range(begin, std::min(begin + size_, count_));
      task_.add_up(totals, model_.forward(batch.x), batch.target);
    }
    if (of_loss) return -totals.loss / static_cast<double>(totals.examples);
    const double per_unit = std::string(task_.metric().unit) == "%" ? 0.01 : 1.0;
    return task_.metric_value(totals) * per_unit;
  }

  /// With gradient, over as many as fit a batch.
  torch::Tensor loss() const {
    const Batch batch = task_.train().range(0, std::min(size_, count_));
    return task_.loss(model_.forward(batch.x), batch.target);
  }

 private:
  const Task& task_;
  const TrainableModel& model_;
  std::int64_t size_, count_ = 0;
};

std::string sha256_of_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return io::sha256(std::string(std::istreambuf_iterator<char>(file), {}));
}

/// What an earlier call measured under the same conditions.
SensitivityFile earlier(const RunDirectory& run, const SensitivityConditions& conditions) {
  if (!std::filesystem::exists(run.path() / kFile)) return {conditions, {}};
  SensitivityFile file = sensitivity_of_json(run.read_json(kFile), (run.path() / kFile).string());
  if (file.conditions != conditions) file = {conditions, {}};
  return file;
}

bool has_layer(const SensitivityFile& file, const std::string& path) {
  const auto is_it = [&](const LayerSensitivity& layer) { return layer.shape.path == path; };
  return std::any_of(file.layers.begin(), file.layers.end(), is_it);
}

void print_table(const SensitivityFile& file) {
  std::printf("%-20s %4s %10s %12s %12s\n", "layer", "bits", "SQNR dB", "drop", "hessian");
  for (const LayerSensitivity& layer : file.layers)
    for (const BitsSensitivity& each : layer.bits)
      std::printf("%-20s %4d %10s %12s %12s\n", printable_text(layer.shape.path).c_str(), each.bits,
                  fixed_text(each.sqnr_db, 2).c_str(), significant_text(each.score_drop, 4).c_str(),
                  significant_text(each.hessian, 4).c_str());
}

int analyze(const Arguments& arguments) {
  OpenedRun opened = open_run(arguments.run, RunAccess::kWrite);
  const Examined examined(opened, arguments.examples);
  const ModelRef model = ref_of(opened.trained.model);
  const SensitivityAnalyzer analyzer(model, opened.config.qat.qconfig, opened.task->example());
  const bool of_loss = arguments.metric == "loss";
  SensitivityFile file =
      earlier(opened.run, {.checkpoint_sha256 = sha256_of_file(opened.run.newest_checkpoint()),
                           .metric = arguments.metric,
                           .examples = examined.count(),
                           .bits = arguments.bits,
                           .hessian = arguments.hessian});
  const std::vector<std::string>& paths = analyzer.paths();
  if (arguments.dry_run) {
    std::printf("%zu layers, %zu widths: %zu passes over %s examples\n", paths.size(), arguments.bits.size(),
                paths.size() * arguments.bits.size() + 1, thousands_text(examined.count()).c_str());
    return kDone;
  }
  const SensitivityAnalyzer::Score score = [&] { return examined.score(of_loss); };
  SensitivityAnalyzer::Loss loss;
  if (arguments.hessian) loss = [&] { return examined.loss(); };
  const double float_score = score();
  Progress progress;
  for (std::size_t i = 0; i < paths.size(); ++i) {
    if (has_layer(file, paths[i])) continue;
    file.layers.push_back(
        refusing([&] { return analyzer.analyze(i, arguments.bits, score, float_score, loss); }));
    opened.run.write_json(kFile, to_json(file));
    progress.update({.phase = "sensitivity",
                     .step = static_cast<std::int64_t>(i) + 1,
                     .steps = static_cast<std::int64_t>(paths.size())});
  }
  progress.clear();
  print_table(file);
  return kDone;
}

void add_options(CLI::App& app, Arguments& arguments) {
  app.add_option("RUN", arguments.run, "folder of a run")->required();
  app.add_option("--bits", arguments.bits, "widths of the weights, each in 2..8; default: 2 3 4 6 8")
      ->check(CLI::Range(2, 8));
  app.add_option("--metric", arguments.metric, "what must not drop: loss, or the task's score")
      ->check(CLI::IsMember({"loss", "score"}))
      ->capture_default_str();
  app.add_option("--examples", arguments.examples, "training examples that it is measured on")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_flag("--hessian", arguments.hessian, "also the Hessian's trace of each layer");
  app.add_flag("--dry-run", arguments.dry_run, "say what would be measured");
}

}  // namespace

Command sensitivity_command() {
  const auto arguments = std::make_shared<Arguments>();
  return {.name = "sensitivity",
          .group = "Plan",
          .summary = "How much a run's model loses by quantizing each layer alone",
          .example =
              "samebits sensitivity runs/fashion_mnist_cnn_int8/latest --bits 4 8 --hessian\n"
              "Writes sensitivity.json into the run, which samebits plan reads. Stopped, it goes on "
              "where it was.",
          .add_options = [arguments](CLI::App& app) { add_options(app, *arguments); },
          .run = [arguments] { return analyze(*arguments); }};
}

}  // namespace samebits::training
