#include "training/ship/contenders.h"

#include <ATen/Parallel.h>
#include <torch/torch.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "graph/package.h"
#include "runtime/interpreter.h"
#include "torch_ext/graph/replay.h"
#include "training/library_errors.h"
#include "training/loop/evaluate.h"
#include "training/ship/run_exports.h"

namespace samebits::training {
namespace {

namespace fs = std::filesystem;

std::int64_t bytes_of(const torch::nn::Module& module) {
  std::int64_t bytes = 0;
  for (const torch::Tensor& each : module.parameters()) bytes += static_cast<std::int64_t>(each.nbytes());
  for (const torch::Tensor& each : module.buffers()) bytes += static_cast<std::int64_t>(each.nbytes());
  return bytes;
}

std::int64_t bytes_of(const fs::path& package) {
  std::int64_t bytes = 0;
  for (const auto& each : fs::recursive_directory_iterator(package))
    if (each.is_regular_file()) bytes += static_cast<std::int64_t>(each.file_size());
  return bytes;
}

Contender by_libtorch(const char* form, const std::shared_ptr<BuiltModel>& built, const Task& task,
                      const Config& config, const torch::Tensor& x) {
  const Evaluation result = evaluate(built->model, task, config.data.batch_size);
  built->model.module->eval();
  return {.run = config.name,
          .form = form,
          .parameter_bytes = bytes_of(*built->model.module),
          .score = result.score,
          .loss = result.loss,
          .ms = {},
          .call = [built, x] {
            const torch::NoGradGuard no_grad;
            built->model.forward(x);
          }};
}

Contender by_runtime(const fs::path& package, const Task& task, const Config& config,
                     const torch::Tensor& x) {
  const Evaluation result = evaluate_package(package, task, config.data.batch_size);
  const auto interpreter = std::make_shared<runtime::Interpreter>(
      refusing([&] { return graph::load_package(package); }), at::get_num_threads());
  const auto inputs = std::make_shared<std::vector<runtime::Array>>(1, array_of(x));
  const auto outputs = std::make_shared<std::vector<runtime::Array>>();
  interpreter->run(*inputs, *outputs);
  const std::int64_t bytes = bytes_of(package);
  return {.run = config.name,
          .form = "package",
          .parameter_bytes = bytes,
          .file_bytes = bytes,
          .values_bytes = interpreter->memory().values_bytes,
          .score = result.score,
          .loss = result.loss,
          .ms = {},
          .call = [=] { interpreter->run(*inputs, *outputs); }};
}

}  // namespace

double Contender::quantile_ms(double p) const {
  if (ms.empty()) return std::nan("");
  const auto last = static_cast<double>(ms.size() - 1);
  return ms[static_cast<std::size_t>(std::lround(p * last))];
}

std::vector<Contender> contenders_of(const RunDirectory& run, const Task& task,
                                     const TimingOptions& options) {
  const torch::Tensor x = task.test().range(0, options.batch).x;
  if (x.size(0) < options.batch)
    throw UsageError("[benchmark] --batch: expected at most the " + std::to_string(x.size(0)) +
                     " test examples, got " + std::to_string(options.batch));
  const Config config = run.config();
  // Each form has a model of its own.
  const auto trained = std::make_shared<BuiltModel>(load_trained(run, config, task));
  std::vector<Contender> contenders;
  if (trained->qat.has_value()) {
    const auto in_float = std::make_shared<BuiltModel>(load_trained(run, config, task));
    in_float->qat->set_state(QuantizerState::kFloat);
    contenders.push_back(by_libtorch("float", in_float, task, config, x));
  }
  contenders.push_back(
      by_libtorch(trained->qat.has_value() ? "integers" : "float", trained, task, config, x));
  if (fs::exists(run.package())) contenders.push_back(by_runtime(run.package(), task, config, x));
  return contenders;
}

void time_in_turn(std::vector<Contender>& contenders, const TimingOptions& options) {
  for (std::int64_t i = -options.warm_ups; i < options.calls; ++i)
    for (Contender& each : contenders) {
      const auto begin = std::chrono::steady_clock::now();
      each.call();
      const std::chrono::duration<double, std::milli> taken = std::chrono::steady_clock::now() - begin;
      if (i >= 0) each.ms.push_back(taken.count());
    }
  for (Contender& each : contenders) std::sort(each.ms.begin(), each.ms.end());
}

nlohmann::ordered_json to_json(const std::vector<Contender>& contenders, const Metric& metric,
                               const TimingOptions& options) {
  nlohmann::ordered_json rows = nlohmann::ordered_json::array();
  for (const Contender& each : contenders) {
    nlohmann::ordered_json row = {
        {"run", each.run},
        {"form", each.form},
        {"parameter_bytes", each.parameter_bytes},
        {metric.name, each.score},
        {"loss", each.loss},
        {"ms",
         {{"median", each.quantile_ms(0.5)}, {"10", each.quantile_ms(0.1)}, {"90", each.quantile_ms(0.9)}}}};
    if (each.file_bytes >= 0) row["file_bytes"] = each.file_bytes;
    if (each.values_bytes >= 0) row["values_bytes"] = each.values_bytes;
    rows.push_back(std::move(row));
  }
  return {{"batch", options.batch},
          {"threads", at::get_num_threads()},
          {"calls", options.calls},
          {"rows", std::move(rows)}};
}

}  // namespace samebits::training
