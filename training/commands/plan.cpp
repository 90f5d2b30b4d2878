// samebits plan: bits for each layer within a budget, as an experiment that samebits train takes.
#include <CLI/CLI.hpp>
#include <cmath>
#include <cstdio>
#include <memory>
#include <optional>

#include "io/atomic_file.h"
#include "planner/plan.h"
#include "torch_ext/config/yaml_reader.h"
#include "torch_ext/ptq/bits.h"
#include "training/commands/commands.h"
#include "training/commands/exit_codes.h"
#include "training/errors.h"
#include "training/library_errors.h"
#include "training/plan/hardware_profiles.h"
#include "training/plan/sensitivity_file.h"
#include "training/report/text.h"
#include "training/run/run_directory.h"

namespace samebits::training {
namespace {

constexpr int kFloatBits = 32;

struct Arguments {
  std::string run, memory, hardware, policy = "exact", by = "drop", out;
  double latency_ms = 0;  // 0: no budget
  std::int64_t front = 0;
  bool dry_run = false;
};

/// What a layer is expected to lose, by the chosen measure.
double loss_of(const BitsSensitivity& each, const std::string& by) {
  if (by == "hessian") return each.hessian;
  if (by == "sqnr") return std::pow(10.0, -each.sqnr_db / 10.0);
  return each.score_drop;
}

std::vector<planner::LayerChoices> choices_of(const SensitivityFile& file, const QConfig& config,
                                              const std::string& by,
                                              const planner::HardwareProfile& hardware) {
  std::vector<planner::LayerChoices> layers;
  const bool has_time = hardware.bandwidth_gb_s > 0;
  for (const LayerSensitivity& layer : file.layers) {
    planner::LayerChoices choices{layer.shape.path, {}};
    const WeightConfig& weight = config.layer(layer.shape.path).weight;
    const std::int64_t group_size = layer.kind == "linear" ? weight.group_size : 0;
    const auto add = [&](int bits, double loss) {
      const std::int64_t bytes = planner::weight_bytes(layer.shape, bits, group_size, hardware);
      const double ms = has_time ? planner::roofline_ms(layer.shape, bits, group_size, hardware) : 0;
      choices.choices.push_back({bits, loss, bytes, ms});
    };
    for (const BitsSensitivity& each : layer.bits) add(each.bits, loss_of(each, by));
    add(kFloatBits, 0.0);
    layers.push_back(std::move(choices));
  }
  return layers;
}

std::int64_t float_bytes(const std::vector<planner::LayerChoices>& layers) {
  std::int64_t bytes = 0;
  for (const planner::LayerChoices& layer : layers) bytes += layer.choices.back().bytes;
  return bytes;
}

/// "20%" of the float weights, or bytes: "350000", "350kB", "1.5MB".
std::int64_t memory_budget(const std::string& text, std::int64_t whole) {
  std::size_t end = 0;
  double value = -1;
  try {
    value = std::stod(text, &end);
  } catch (const std::exception&) {
  }
  const std::string unit = text.substr(std::min(end, text.size()));
  double factor = 0;
  if (unit == "%") factor = static_cast<double>(whole) / 100.0;
  if (unit.empty() || unit == "B") factor = 1;
  if (unit == "kB") factor = 1e3;
  if (unit == "MB") factor = 1e6;
  if (!(value > 0 && value < 1e15) || factor == 0)
    throw UsageError(
        "[plan] --memory: expected a part of the float weights like 20%, or bytes like 350kB or "
        "1.5MB, got \"" +
        text + "\"");
  return static_cast<std::int64_t>(value * factor);
}

planner::Plan plan_by(const std::string& policy, const std::vector<planner::LayerChoices>& layers,
                      const planner::Budget& budget) {
  if (policy == "threshold") return planner::threshold_plan(layers, budget);
  if (policy == "greedy") return planner::greedy_plan(layers, budget);
  if (policy == "uniform") return planner::uniform_plan(layers, budget);
  return planner::exact_plan(layers, budget);
}

void print_sums(const planner::Plan& plan, std::int64_t whole, bool has_time) {
  std::printf("%s, %s%% of float", bytes_text(plan.bytes).c_str(),
              fixed_text(100.0 * static_cast<double>(plan.bytes) / static_cast<double>(whole), 1).c_str());
  if (has_time) std::printf(", %s ms an example", significant_text(plan.ms, 4).c_str());
  std::printf(", predicted loss %s", significant_text(plan.loss, 4).c_str());
  if (plan.gap > 0) std::printf(" (at most %s more than the least)", significant_text(plan.gap, 2).c_str());
  std::printf("\n");
}

void print_plan(const planner::Plan& plan, const SensitivityFile& file) {
  std::printf("%-20s %5s %12s %12s\n", "layer", "bits", "bytes", "loss");
  for (std::size_t i = 0; i < plan.chosen.size(); ++i) {
    const planner::Choice& each = plan.chosen[i];
    std::printf("%-20s %5s %12s %12s\n", printable_text(file.layers[i].shape.path).c_str(),
                each.bits == kFloatBits ? "float" : std::to_string(each.bits).c_str(),
                thousands_text(each.bytes).c_str(), significant_text(each.loss, 4).c_str());
  }
}

SensitivityFile read_sensitivity(const RunDirectory& run, const std::string& by) {
  const std::filesystem::path path = run.path() / "sensitivity.json";
  if (!std::filesystem::exists(path))
    throw UsageError("[plan] " + path.string() + ": expected a file, got none; run samebits sensitivity " +
                     run.path().string());
  SensitivityFile file = sensitivity_of_json(run.read_json("sensitivity.json"), path.string());
  if (by == "hessian" && !file.conditions.hessian)
    throw UsageError(
        "[plan] --by hessian: expected sensitivities with traces, got none; run samebits "
        "sensitivity --hessian");
  return file;
}

void write_experiment(const std::filesystem::path& path, Config config, const SensitivityFile& file,
                      const planner::Plan& plan) {
  std::vector<std::string> paths;
  std::vector<int> bits;
  for (std::size_t i = 0; i < plan.chosen.size(); ++i) {
    paths.push_back(file.layers[i].shape.path);
    bits.push_back(plan.chosen[i].bits);
  }
  config.name += "_planned";
  config.qat.qconfig = with_bits(config.qat.qconfig, paths, bits);
  io::write_file_atomically(path, to_yaml(config));
  std::printf("%s\n", printable_text(path.string()).c_str());
}

int make_plan(const Arguments& arguments) {
  const RunDirectory run = RunDirectory::open(arguments.run);
  const Config config = run.config();
  const SensitivityFile file = read_sensitivity(run, arguments.by);
  const bool has_time = !arguments.hardware.empty();
  if (arguments.latency_ms > 0 && !has_time)
    throw UsageError("[plan] --latency-ms: expected a machine beside it, got none; name one by --hardware");
  const planner::HardwareProfile hardware =
      has_time ? load_hardware(arguments.hardware) : planner::package_storage();
  return refusing([&] {
    const auto layers = choices_of(file, config.qat.qconfig, arguments.by, hardware);
    const std::int64_t whole = float_bytes(layers);
    planner::Budget budget;
    if (!arguments.memory.empty()) budget.bytes = memory_budget(arguments.memory, whole);
    if (arguments.latency_ms > 0) budget.ms = arguments.latency_ms;
    if (arguments.front > 0) {
      for (const planner::Plan& each : planner::pareto_front(layers, budget, arguments.front))
        print_sums(each, whole, has_time);
      return kDone;
    }
    const planner::Plan plan = plan_by(arguments.policy, layers, budget);
    print_plan(plan, file);
    print_sums(plan, whole, has_time);
    const std::filesystem::path out =
        arguments.out.empty() ? run.path() / "plan.yaml" : std::filesystem::path(arguments.out);
    if (!arguments.dry_run) write_experiment(out, config, file, plan);
    return kDone;
  });
}

void add_options(CLI::App& app, Arguments& arguments) {
  app.add_option("RUN", arguments.run, "folder of a run with sensitivity.json")->required();
  app.add_option("--memory", arguments.memory, "most bytes of all weights: 20% of float, 350kB, 1.5MB");
  app.add_option("--latency-ms", arguments.latency_ms,
                 "most time of an example, by the roofline of --hardware")
      ->check(CLI::PositiveNumber);
  app.add_option("--hardware", arguments.hardware, alternatives(hardware_names()) + ", or a file *.yaml");
  app.add_option("--policy", arguments.policy, "exact, or to compare: threshold, greedy, uniform")
      ->check(CLI::IsMember({"exact", "threshold", "greedy", "uniform"}))
      ->capture_default_str();
  app.add_option("--by", arguments.by, "what is not to be lost: the metric's drop, hessian or sqnr")
      ->check(CLI::IsMember({"drop", "hessian", "sqnr"}))
      ->capture_default_str();
  app.add_option("--front", arguments.front, "print that many plans from smallest to best instead")
      ->check(CLI::Range(2, 1000));
  app.add_option("--out", arguments.out, "the experiment to write; default: plan.yaml in RUN");
  app.add_flag("--dry-run", arguments.dry_run, "write nothing");
}

}  // namespace

Command plan_command() {
  const auto arguments = std::make_shared<Arguments>();
  return {
      .name = "plan",
      .group = "Plan",
      .summary = "Bits for each layer within a budget, as an experiment to train",
      .example = "samebits plan runs/fashion_mnist_cnn_int8/latest --memory 20% --hardware raspberry_pi_4",
      .add_options = [arguments](CLI::App& app) { add_options(app, *arguments); },
      .run = [arguments] { return make_plan(*arguments); }};
}

}  // namespace samebits::training
