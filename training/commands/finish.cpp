#include "training/commands/finish.h"

#include <torch/torch.h>

#include <algorithm>
#include <optional>

#include "graph/package.h"
#include "torch_ext/convert.h"
#include "training/report/layer_report.h"
#include "training/report/report.h"
#include "training/report/text.h"

namespace samebits::training {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

/// A package is a folder, an ONNX file a file.
std::string target_name(const fs::path& file) {
  return file.extension() == ".onnx" ? "onnx" : "package";
}

double number(const ordered_json& record, const char* key) {
  return record.contains(key) && record[key].is_number() ? record[key].get<double>() : kMissing;
}

/// What metrics.jsonl says of the whole run.
struct Curves {
  std::vector<EpochPoint> epochs;
  std::vector<PhaseMark> phases;
  double fp32_accuracy = kMissing, ptq_accuracy = kMissing, qat_accuracy = kMissing;
  std::optional<double> fp32_step_ms, qat_step_ms;  // the fastest epoch's median
};

void keep_least(std::optional<double>& least, double value) {
  if (value > 0 && (!least.has_value() || value < *least)) least = value;
}

Curves read_curves(const RunDirectory& run, std::int64_t steps_per_epoch) {
  Curves curves;
  std::string phase;
  for (const ordered_json& record : run.metrics()) {
    const std::string kind = record.at("kind");
    if (kind == "ptq") curves.ptq_accuracy = number(record, "accuracy");
    if (kind == "ptq") continue;
    if (record.at("phase") != phase) {
      phase = record.at("phase");
      const double epoch =
          (number(record, "step") - static_cast<double>(kind == "step" ? kMetricEvery : steps_per_epoch)) /
          static_cast<double>(steps_per_epoch);
      curves.phases.push_back({std::max(epoch, 0.0), phase});
    }
    if (kind != "epoch") continue;
    curves.epochs.push_back({number(record, "epoch"), phase, number(record, "train_loss"),
                             number(record, "test_loss"), number(record, "accuracy"),
                             number(record, "seconds")});
    const bool is_fp32 = phase == "fp32";
    (is_fp32 ? curves.fp32_accuracy : curves.qat_accuracy) = number(record, "accuracy");
    if (phase != "observing")
      keep_least(is_fp32 ? curves.fp32_step_ms : curves.qat_step_ms, number(record, "step_ms"));
  }
  return curves;
}

std::int64_t float_bytes(torch::nn::Module& model) {
  std::int64_t bytes = 0;
  for (const torch::Tensor& parameter : model.parameters())
    bytes += static_cast<std::int64_t>(parameter.nbytes());
  return bytes;
}

std::vector<ResultRow> result_rows(const Curves& curves, Model& model, const RunDirectory& run,
                                   double exported_accuracy) {
  std::vector<ResultRow> rows = {{"FP32", curves.fp32_accuracy, float_bytes(model), curves.fp32_step_ms, {}},
                                 {"PTQ", curves.ptq_accuracy},
                                 {"QAT", curves.qat_accuracy, {}, curves.qat_step_ms, {}}};
  if (curves.fp32_step_ms.has_value()) {
    rows[0].step_ratio = 1.0;
    if (curves.qat_step_ms.has_value()) rows[2].step_ratio = *curves.qat_step_ms / *curves.fp32_step_ms;
  }
  if (fs::exists(run.package()))
    rows.push_back({"exported package", exported_accuracy,
                    static_cast<std::int64_t>(graph::package_bytes(run.package()))});
  if (fs::exists(run.onnx()))
    rows.push_back({"ONNX", exported_accuracy, static_cast<std::int64_t>(fs::file_size(run.onnx()))});
  return rows;
}

std::vector<SummaryRow> summary_rows(const Config& config) {
  const auto sizes = [](const std::vector<std::int64_t>& values) {
    std::string text;
    for (const std::int64_t value : values) text += (text.empty() ? "" : "-") + std::to_string(value);
    return text;
  };
  const auto phase = [](const OptimizerConfig& o, std::int64_t epochs) {
    return std::to_string(epochs) + " epochs, " + o.name + ", lr " + significant_text(o.lr, 3);
  };
  return {{"model", config.model.name == "cnn"
                        ? "cnn " + sizes(config.model.channels) + ", fc " + sizes(config.model.hidden)
                        : "mlp " + sizes(config.model.hidden)},
          {"data", config.data.name + ", batches of " + std::to_string(config.data.batch_size)},
          {"float training", phase(config.train.optimizer, config.train.epochs)},
          {"QAT", phase(config.qat.optimizer, config.qat.epochs)},
          {"seed", std::to_string(config.seed)}};
}

Verification verification_of(const std::vector<VerifyReport>& reports) {
  Verification verification;
  for (const VerifyReport& each : reports) {
    verification.images = each.images;
    verification.logits = each.logits;
    verification.targets.push_back({target_name(each.file), each.differing});
  }
  return verification;
}

ordered_json rounded(double value) {
  return std::isfinite(value) ? ordered_json(std::round(value * 1e4) / 1e4) : ordered_json();
}

}  // namespace

PreparedModel load_trained(const RunDirectory& run, const Config& config, const Dataset& data,
                           const std::string& name) {
  const bool is_qat = read_position(run.checkpoint(name)).phase == "qat";
  PreparedModel trained = build_model(config, data, is_qat);
  load_model(run.checkpoint(name), *trained.model);
  return trained;
}

void export_run(const RunDirectory& run, PreparedModel& trained, const Dataset& data,
                const std::vector<std::string>& exports) {
  const torch::Tensor example = data.range(0, 2).images;
  const QuantizedModel quantized = convert(*trained.model, example, run.config().name);
  for (const std::string& each : exports) {
    if (each == "package") quantized.save(run.package());
    if (each == "onnx") quantized.export_onnx(run.onnx());
  }
}

std::vector<VerifyReport> verify_run(const RunDirectory& run, PreparedModel& trained, const Dataset& test) {
  const std::vector<torch::Tensor> batches = image_batches(test, 500);
  std::vector<VerifyReport> reports;
  for (const fs::path& file : {run.package(), run.onnx()})
    if (fs::exists(file)) reports.push_back(verify(*trained.model, file, batches));
  return reports;
}

ordered_json verify_json(const std::vector<VerifyReport>& reports) {
  ordered_json json = {{"images", 0}, {"logits", 0}, {"differing", ordered_json::object()}};
  for (const VerifyReport& each : reports) {
    json["images"] = each.images;
    json["logits"] = each.logits;
    json["differing"][target_name(each.file)] = each.differing;
    if (!each.first_difference.empty())
      json["first_difference"][target_name(each.file)] = each.first_difference;
  }
  return json;
}

void write_report(RunDirectory& run, const Config& config, PreparedModel& trained, const Datasets& data,
                  const std::vector<VerifyReport>& verification) {
  const std::int64_t steps_per_epoch =
      (data.train.size() + config.data.batch_size - 1) / config.data.batch_size;
  const Curves curves = read_curves(run, steps_per_epoch);
  const double exported =
      fs::exists(run.package())
          ? evaluate_package(run.package(), data.test, config.data.batch_size).accuracy_percent
          : kMissing;
  Report report{.title = config.name,
                .machine = machine_text(),
                .summary = summary_rows(config),
                .epochs = curves.epochs,
                .phases = curves.phases,
                .results = result_rows(curves, *trained.model, run, exported),
                .layers = layer_rows(*trained.model, trained.prepared->layers(),
                                     image_batches(data.test, config.data.batch_size))};
  if (!verification.empty()) report.verification = verification_of(verification);
  run.write_text("report.html", report_html(report));

  ordered_json status = {{"state", "done"},
                         {"accuracy",
                          {{"fp32", rounded(curves.fp32_accuracy)},
                           {"ptq", rounded(curves.ptq_accuracy)},
                           {"qat", rounded(curves.qat_accuracy)},
                           {"exported", rounded(exported)}}}};
  if (!verification.empty()) status["verify"] = verify_json(verification);
  run.write_json("status.json", status);
}

}  // namespace samebits::training
