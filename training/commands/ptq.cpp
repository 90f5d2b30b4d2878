// samebits ptq: a run's float weights, quantized without training, with the files that ship.
#include <torch/torch.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "io/atomic_file.h"
#include "torch_ext/config/fields.h"
#include "torch_ext/convert.h"
#include "torch_ext/ptq/bits.h"
#include "torch_ext/ptq/post_training.h"
#include "training/commands/commands.h"
#include "training/commands/exit_codes.h"
#include "training/commands/opened_run.h"
#include "training/errors.h"
#include "training/library_errors.h"
#include "training/loop/evaluate.h"
#include "training/report/progress.h"
#include "training/report/text.h"
#include "training/ship/run_exports.h"

namespace samebits::training {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

const Names<RangeRule> kRanges = {{RangeRule::kMinMax, "min_max"},
                                  {RangeRule::kPercentile, "percentile"},
                                  {RangeRule::kLeastError, "mse"},
                                  {RangeRule::kKl, "kl"}};
const Names<Rounding> kRoundings = {{Rounding::kNearest, "nearest"}, {Rounding::kGptq, "gptq"}};

template <class Enum>
Enum member_of(const Names<Enum>& names, const std::string& text) {
  for (const auto& [member, name] : names)
    if (name == text) return member;
  return names.front().first;  // the command line checked it
}

struct Arguments {
  std::string run, out, range = "min_max", rounding = "nearest";
  double percentile = PtqConfig().percentile;
  bool corrects_bias = false;
  int weight_bits = 0;  // 0: as the run's configuration says
  std::int64_t batches = 16;
  bool dry_run = false;
};

/// Whether a buffer is a quantizer's, which is the layer's own.
bool is_of_quantizer(const std::string& buffer, const torch::nn::Module& model) {
  const auto modules = model.named_modules("", /*include_self=*/false);
  return std::any_of(modules.begin(), modules.end(), [&](const auto& each) {
    return as_qat_layer(each.value()) != nullptr && buffer.starts_with(each.key() + ".input.");
  });
}

/// The run's model set up anew, with the weights and statistics that it has now: float weights also behind
/// QAT epochs.
BuiltModel observing_copy(const OpenedRun& opened, const Config& config) {
  BuiltModel copy = build_model(config, *opened.task, /*is_qat=*/true);
  const torch::NoGradGuard no_grad;
  const auto from = opened.trained.model.module->named_parameters();
  for (auto& parameter : copy.model.module->named_parameters())
    parameter.value().copy_(from[parameter.key()]);
  const auto statistics = opened.trained.model.module->named_buffers();
  for (auto& buffer : copy.model.module->named_buffers())
    if (!is_of_quantizer(buffer.key(), *copy.model.module)) buffer.value().copy_(statistics[buffer.key()]);
  return copy;
}

ordered_json record_json(const ActivationRecord& each) {
  const auto quantile = [&](double p) { return kernels::quantile(each.histogram, p); };
  return {{"path", each.path},
          {"batches", each.batches},
          {"values", each.values},
          {"min", each.min},
          {"max", each.max},
          {"percentiles",
           {{"0.01", quantile(0.0001)},
            {"1", quantile(0.01)},
            {"50", quantile(0.5)},
            {"99", quantile(0.99)},
            {"99.99", quantile(0.9999)}}},
          {"range", {each.range.low, each.range.high}},
          {"clipped_percent", each.clipped_percent},
          {"histogram",
           {{"low", each.histogram.range.low},
            {"high", each.histogram.range.high},
            {"counts", each.histogram.counts}}}};
}

void print_records(const std::vector<ActivationRecord>& records) {
  std::printf("%-20s %11s %11s %11s %11s %9s\n", "layer", "min", "max", "low", "high", "clipped");
  for (const ActivationRecord& each : records)
    std::printf("%-20s %11s %11s %11s %11s %8s%%\n", printable_text(each.path).c_str(),
                significant_text(each.min, 4).c_str(), significant_text(each.max, 4).c_str(),
                significant_text(each.range.low, 4).c_str(), significant_text(each.range.high, 4).c_str(),
                fixed_text(each.clipped_percent, 3).c_str());
}

/// Package, ONNX file and their proof in `folder`; whether they give the model's bits.
bool write_files(const fs::path& folder, const OpenedRun& opened, BuiltModel& model,
                 const std::string& name) {
  return refusing([&] {
    const QuantizedModel quantized = convert(ref_of(model.model), opened.task->test().range(0, 2).x, name);
    const fs::path package = folder / "model.samebits", onnx = folder / "model.onnx";
    quantized.save(package);
    quantized.export_onnx(onnx);
    const std::vector<torch::Tensor> batches = test_inputs(*opened.task, 500);
    std::vector<VerifyReport> reports;
    for (const fs::path& file : {package, onnx})
      reports.push_back(verify(ref_of(model.model), file, batches));
    return print_verification(reports);
  });
}

void calibrate_on(const OpenedRun& opened, std::int64_t batches, PostTrainingQuantizer& quantizer) {
  const std::int64_t size = opened.config.data.batch_size;
  Progress progress;
  refusing([&] {
    quantizer.calibrate(batches, [&](std::int64_t i) {
      progress.update({.phase = "calibrating", .step = i, .steps = batches, .samples_per_step = size});
      return opened.task->train().range(i * size, (i + 1) * size).x;
    });
  });
  progress.clear();
}

Config with_weight_bits(Config config, int bits) {
  config.qat.qconfig = straight_through(config.qat.qconfig);
  if (bits == 0) return config;
  config.qat.qconfig.defaults = at_bits(config.qat.qconfig.defaults, bits);
  for (auto& [path, layer] : config.qat.qconfig.layers)
    if (!layer.skip) layer = at_bits(layer, bits);
  return config;
}

/// Whether every layer's weight was rounded; names the others.
bool report_weights(const std::vector<WeightResult>& results) {
  bool is_done = true;
  for (const WeightResult& each : results) {
    is_done = is_done && each.is_done;
    if (!each.is_done)
      std::fprintf(stderr, "warning: %s keeps its weight: %s\n", printable_text(each.path).c_str(),
                   printable_text(each.note).c_str());
  }
  return is_done;
}

void write_records(const fs::path& path, const std::vector<ActivationRecord>& records) {
  ordered_json layers = ordered_json::array();
  for (const ActivationRecord& each : records) layers.push_back(record_json(each));
  io::write_file_atomically(path, ordered_json{{"layers", layers}}.dump(1) + "\n");
}

PtqConfig ptq_config(const Arguments& arguments) {
  return {.range = member_of(kRanges, arguments.range),
          .percentile = arguments.percentile,
          .rounding = member_of(kRoundings, arguments.rounding),
          .corrects_bias = arguments.corrects_bias};
}

int quantize_into(const fs::path& folder, const Arguments& arguments, const OpenedRun& opened,
                  BuiltModel& model) {
  const std::int64_t size = opened.config.data.batch_size;
  const Metric metric = opened.task->metric();
  const double before = evaluate(model.model, *opened.task, size).score;
  const ModelRef ref = ref_of(model.model);
  PostTrainingQuantizer quantizer(ref, *model.qat, ptq_config(arguments));
  calibrate_on(opened, arguments.batches, quantizer);
  const bool is_done = report_weights(quantizer.quantize_weights());
  quantizer.freeze();
  print_records(quantizer.records());
  const double after = evaluate(model.model, *opened.task, size).score;
  std::printf("%-9s %s\n%-9s %s\n", "fp32", metric.text(before).c_str(), "ptq", metric.text(after).c_str());
  fs::create_directories(folder);
  write_records(folder / "calibration.json", quantizer.records());
  const bool is_same = write_files(folder, opened, model, opened.config.name);
  std::printf("%s\n", printable_text(folder.string()).c_str());
  return is_same && is_done ? kDone : kNo;
}

int quantize(const Arguments& arguments) {
  const OpenedRun opened =
      open_run(arguments.run, arguments.out.empty() ? RunAccess::kWrite : RunAccess::kRead);
  const Config config = with_weight_bits(opened.config, arguments.weight_bits);
  const std::int64_t size = config.data.batch_size, most = steps_per_epoch(*opened.task, size);
  if (arguments.batches > most)
    throw UsageError("[ptq] --batches: expected at most the " + std::to_string(most) +
                     " batches of the training examples, got " + std::to_string(arguments.batches));
  BuiltModel model = observing_copy(opened, config);
  if (arguments.dry_run) {
    std::printf("%scalibration on %s batches of %s examples\n", model.qat->report().c_str(),
                thousands_text(arguments.batches).c_str(), thousands_text(size).c_str());
    return kDone;
  }
  return quantize_into(arguments.out.empty() ? opened.run.path() / "ptq" : fs::path(arguments.out), arguments,
                       opened, model);
}

void add_options(CLI::App& app, Arguments& arguments) {
  app.add_option("RUN", arguments.run, "folder of a run")->required();
  app.add_option("--range", arguments.range, "of activations: min_max, percentile, mse or kl")
      ->check(CLI::IsMember(texts_of(kRanges)))
      ->capture_default_str();
  app.add_option("--percentile", arguments.percentile, "part of the values, for --range percentile")
      ->check(CLI::Range(0.5, 1.0))
      ->capture_default_str();
  app.add_option("--rounding", arguments.rounding, "of weights: nearest or gptq")
      ->check(CLI::IsMember(texts_of(kRoundings)))
      ->capture_default_str();
  app.add_flag("--correct-bias", arguments.corrects_bias, "give biases what rounding moved");
  app.add_option("--weight-bits", arguments.weight_bits, "of all quantized layers; default: as configured")
      ->check(CLI::Range(2, 8));
  app.add_option("--batches", arguments.batches, "training batches to calibrate on")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  app.add_option("--out", arguments.out, "folder for the files; default: ptq in RUN");
  app.add_flag("--dry-run", arguments.dry_run, "say what would be quantized, and how");
}

}  // namespace

Command ptq_command() {
  const auto arguments = std::make_shared<Arguments>();
  return {.name = "ptq",
          .group = "Quantize without training",
          .summary = "Calibrate and quantize a run's float weights; write and verify the files",
          .example =
              "samebits ptq runs/fashion_mnist_cnn_int8/latest --weight-bits 4 --rounding gptq --range mse",
          .add_options = [arguments](CLI::App& app) { add_options(app, *arguments); },
          .run = [arguments] { return quantize(*arguments); }};
}

}  // namespace samebits::training
