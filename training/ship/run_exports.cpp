#include "training/ship/run_exports.h"

#include <torch/torch.h>

#include <algorithm>
#include <cstdio>

#include "export/formats.h"
#include "torch_ext/convert.h"
#include "training/library_errors.h"
#include "training/loop/checkpoint.h"
#include "training/report/text.h"

namespace samebits::training {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

BuiltModel load_trained(const RunDirectory& run, const Config& config, const Task& task) {
  const Checkpoint checkpoint = Checkpoint::read(run.newest_checkpoint());
  const bool is_qat = checkpoint.position().is_qat();
  checkpoint.check_position(is_qat ? config.qat.epochs : config.train.epochs,
                            steps_per_epoch(task, config.data.batch_size));
  BuiltModel trained = build_model(config, task, is_qat);
  checkpoint.load_model(*trained.model.module);
  return trained;
}

namespace {

/// The ONNX files of a run, "model" and a style's ending.
struct OnnxTarget {
  std::string_view name, ending;
  OnnxStyle style;
};
constexpr OnnxTarget kOnnxTargets[] = {{"onnx", ".onnx", OnnxStyle::kInteger},
                                       {"onnx_qdq", ".qdq.onnx", OnnxStyle::kQdq},
                                       {"onnx_tensorrt", ".tensorrt.onnx", OnnxStyle::kTensorrt}};

const OnnxTarget& onnx_target(std::string_view format) {
  return *std::ranges::find(kOnnxTargets, format, &OnnxTarget::name);
}

fs::path onnx_file(const RunDirectory& run, const OnnxTarget& target) {
  return run.onnx().parent_path() / (run.onnx().stem().string() + std::string(target.ending));
}

}  // namespace

std::vector<std::string> format_names() {
  std::vector<std::string> names = {"package"};
  for (const OnnxTarget& target : kOnnxTargets) names.emplace_back(target.name);
  for (const ExportFormat& format : export_formats())
    if (format.name != "package") names.emplace_back(format.name);
  return names;
}

fs::path exported_file(const RunDirectory& run, std::string_view format) {
  const ExportFormat* found = find_format(format);
  return found == nullptr ? onnx_file(run, onnx_target(format))
                          : run.package().replace_extension(found->extension);
}

void export_run(const RunDirectory& run, BuiltModel& trained, const Task& task,
                const std::vector<std::string>& exports) {
  refusing([&] {
    const QuantizedModel quantized =
        convert(ref_of(trained.model), task.test().range(0, 2).x, run.config().name);
    for (const std::string& each : exports) {
      const ExportFormat* format = find_format(each);
      format == nullptr ? quantized.export_onnx(exported_file(run, each), onnx_target(each).style)
                        : format->save(quantized.graph(), exported_file(run, each));
    }
  });
}

std::vector<VerifyReport> verify_run(const RunDirectory& run, BuiltModel& trained, const Task& task) {
  const std::vector<torch::Tensor> batches = test_inputs(task, 500);
  std::vector<VerifyReport> reports;
  std::vector<fs::path> files = {run.package()};
  for (const OnnxTarget& target : kOnnxTargets) files.push_back(onnx_file(run, target));
  for (const ExportFormat& format : export_formats())
    if (format.load != nullptr && format.name != "package") files.push_back(exported_file(run, format.name));
  for (const fs::path& file : files)
    if (fs::exists(file))
      reports.push_back(refusing([&] { return verify(ref_of(trained.model), file, batches); }));
  return reports;
}

std::string target_name(const fs::path& file) {
  if (const ExportFormat* format = format_of_file(file)) return std::string(format->name);
  const std::string name = file.filename().string();
  for (const OnnxTarget& target : kOnnxTargets)
    if (target.style != OnnxStyle::kInteger && name.ends_with(target.ending)) return std::string(target.name);
  return "onnx";
}

namespace {

ordered_json inexact_json(const VerifyReport& report) {
  return {{"differing_logits", report.differing_float},
          {"largest_difference", report.largest_difference},
          {"codes", report.codes},
          {"differing_codes", report.differing_codes},
          {"largest_code_difference", report.largest_code_difference},
          {"other_decisions", report.other_decisions}};
}

}  // namespace

ordered_json verify_json(const std::vector<VerifyReport>& reports) {
  ordered_json json = {{"images", 0}, {"logits", 0}, {"differing", ordered_json::object()}};
  for (const VerifyReport& each : reports) {
    json["images"] = each.images;
    json["logits"] = each.logits;
    if (!each.promises_bits) {
      json["inexact"][target_name(each.file)] = inexact_json(each);
      continue;
    }
    json["differing"][target_name(each.file)] = each.differing;
    if (each.differing_float > 0) json["differing_float"][target_name(each.file)] = each.differing_float;
    if (!each.first_difference.empty())
      json["first_difference"][target_name(each.file)] = each.first_difference;
  }
  return json;
}

bool print_verification(const std::vector<VerifyReport>& reports) {
  bool is_same = true;
  for (const VerifyReport& each : reports) {
    std::printf("%s\n", printable_text(each.text()).c_str());
    is_same = is_same && each.differing == 0;
  }
  return is_same;
}

}  // namespace samebits::training
