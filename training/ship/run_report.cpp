#include "training/ship/run_report.h"

#include <torch/torch.h>

#include <cmath>

#include "graph/package.h"
#include "training/loop/evaluate.h"
#include "training/report/layer_report.h"
#include "training/report/report.h"
#include "training/report/text.h"
#include "training/run/curves.h"
#include "training/run/metrics_log.h"
#include "training/ship/run_exports.h"

namespace samebits::training {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

std::int64_t float_bytes(torch::nn::Module& model) {
  std::int64_t bytes = 0;
  for (const torch::Tensor& parameter : model.parameters())
    bytes += static_cast<std::int64_t>(parameter.nbytes());
  return bytes;
}

std::vector<ResultRow> result_rows(const Curves& curves, torch::nn::Module& model, const RunDirectory& run,
                                   double exported_score) {
  std::vector<ResultRow> rows = {{"FP32", curves.fp32_score, float_bytes(model), curves.fp32_step_ms, {}}};
  if (!std::isfinite(curves.qat_score)) return rows;  // trained in float alone
  rows.push_back({"PTQ", curves.ptq_score});
  rows.push_back({"QAT", curves.qat_score, {}, curves.qat_step_ms, {}});
  if (curves.fp32_step_ms.has_value()) {
    rows[0].step_ratio = 1.0;
    if (curves.qat_step_ms.has_value()) rows[2].step_ratio = *curves.qat_step_ms / *curves.fp32_step_ms;
  }
  if (fs::exists(run.package()))
    rows.push_back(
        {"exported package", exported_score, static_cast<std::int64_t>(graph::package_bytes(run.package()))});
  if (fs::exists(run.onnx()))
    rows.push_back({"ONNX", exported_score, static_cast<std::int64_t>(fs::file_size(run.onnx()))});
  return rows;
}

std::string sizes_text(const std::vector<std::int64_t>& values) {
  std::string text;
  for (const std::int64_t value : values) text += (text.empty() ? "" : "-") + std::to_string(value);
  return text;
}

std::string model_text(const ModelConfig& model) {
  if (!model.library.empty()) return model.name + " of " + model.library;
  if (!model.pt2.empty()) return model.pt2;
  if (model.name == "cnn") return "cnn " + sizes_text(model.channels) + ", fc " + sizes_text(model.hidden);
  if (model.name == "mlp") return "mlp " + sizes_text(model.hidden);
  const auto size = [](const std::string& name, std::int64_t value) {
    return value == 0 ? std::string() : ", " + name + " " + std::to_string(value);
  };
  return model.name + size("width", model.width) + size("depth", model.depth);
}

std::vector<SummaryRow> summary_rows(const Config& config, const Metric& metric) {
  const auto phase = [](const OptimizerConfig& o, std::int64_t epochs) {
    return std::to_string(epochs) + " epochs, " + o.name + ", lr " + significant_text(o.lr, 3);
  };
  std::vector<SummaryRow> rows = {{"model", model_text(config.model)},
                                  {"data", config.data.source + " " + config.data.path + ", batches of " +
                                               std::to_string(config.data.batch_size)},
                                  {"metric", metric.name},
                                  {"float training", phase(config.train.optimizer, config.train.epochs)}};
  if (config.qat.epochs > 0) rows.push_back({"QAT", phase(config.qat.optimizer, config.qat.epochs)});
  rows.push_back({"seed", std::to_string(config.seed)});
  return rows;
}

Verification verification_of(const std::vector<VerifyReport>& reports) {
  Verification verification;
  for (const VerifyReport& each : reports) {
    verification.images = each.images;
    verification.logits = each.logits;
    if (each.promises_bits)
      verification.targets.push_back({target_name(each.file), each.differing, each.differing_float});
  }
  return verification;
}

ordered_json rounded(double value) {
  return std::isfinite(value) ? ordered_json(std::round(value * 1e4) / 1e4) : ordered_json();
}

void write_status(RunDirectory& run, const std::string& metric, const Curves& curves, double exported,
                  const std::vector<VerifyReport>& verification) {
  ordered_json status = {{"state", "done"},
                         {metric,
                          {{"fp32", rounded(curves.fp32_score)},
                           {"ptq", rounded(curves.ptq_score)},
                           {"qat", rounded(curves.qat_score)},
                           {"exported", rounded(exported)}}}};
  if (!verification.empty()) status["verify"] = verify_json(verification);
  run.write_json("status.json", status);
}

constexpr std::int64_t kMostClasses = 32;

/// Of a task whose outputs are scores of classes, one target an example; else empty.
ConfusionMatrix confusion_of(const TrainableModel& model, const Task& task, std::int64_t batch_size) {
  const EvalGuard eval(*model.module);
  const torch::NoGradGuard no_grad;
  torch::Tensor counts;
  for (std::int64_t begin = 0; begin < task.test().size(); begin += batch_size) {
    const Batch batch = task.test().range(begin, begin + batch_size);
    const torch::Tensor output = model.forward(batch.x);
    const std::int64_t classes = output.dim() == 2 ? output.size(1) : 0;
    const bool are_classes = batch.target.dim() == 1 && batch.target.scalar_type() == torch::kLong;
    if (!are_classes || classes < 2 || classes > kMostClasses) return {};
    if (!counts.defined()) counts = torch::zeros({classes * classes}, torch::kLong);
    counts += torch::bincount(batch.target * classes + output.argmax(1), {}, classes * classes);
  }
  ConfusionMatrix matrix;
  if (!counts.defined()) return matrix;
  const auto classes = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(counts.numel()))));
  for (const torch::Tensor& row : counts.view({classes, classes}).unbind()) {
    const std::int64_t* begin = row.const_data_ptr<std::int64_t>();
    matrix.emplace_back(begin, begin + classes);
  }
  return matrix;
}

}  // namespace

void write_report(RunDirectory& run, const Config& config, BuiltModel& trained, const Task& task,
                  const std::vector<VerifyReport>& verification) {
  const std::int64_t batch_size = config.data.batch_size;
  const Metric metric = task.metric();
  const Curves curves = read_curves(run, metric.name, steps_per_epoch(task, batch_size), kMetricEvery);
  const double exported =
      fs::exists(run.package()) ? evaluate_package(run.package(), task, batch_size).score : kMissing;
  Report report{.metric = metric,
                .title = config.name,
                .machine = machine_text(),
                .summary = summary_rows(config, metric),
                .epochs = curves.epochs,
                .phases = curves.phases,
                .results = result_rows(curves, *trained.model.module, run, exported),
                .layers = {}};
  if (trained.qat.has_value())
    report.layers = layer_rows(ref_of(trained.model), trained.qat->layers(), test_inputs(task, batch_size));
  if (!verification.empty()) report.verification = verification_of(verification);
  report.confusion = confusion_of(trained.model, task, batch_size);
  report.config = to_yaml(config);
  run.write_text("report.html", report_html(report));
  write_status(run, metric.name, curves, exported, verification);
}

}  // namespace samebits::training
