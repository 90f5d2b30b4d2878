// What follows training: export and proof. Each reads the run's folder, so that each can be done again later.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "torch_ext/verify.h"
#include "training/loop/built_model.h"
#include "training/run/run_directory.h"

namespace samebits::training {

/// The trained model of a run: checkpoint "final", or "last" before the end. Throws UsageError when neither
/// is there or it is of another configuration.
BuiltModel load_trained(const RunDirectory& run, const Config& config, const Task& task);

/// "package", "onnx", "onnx_qdq", "onnx_tensorrt", and the others of export/formats.h; and where a run has
/// each.
std::vector<std::string> format_names();
std::filesystem::path exported_file(const RunDirectory& run, std::string_view format);

/// Writes the files that `exports` names, of format_names(), into the run's export folder. Throws UsageError
/// when the model cannot be exported yet.
void export_run(const RunDirectory& run, BuiltModel& trained, const Task& task,
                const std::vector<std::string>& exports);

/// Replays the whole test set through every exported file.
std::vector<VerifyReport> verify_run(const RunDirectory& run, BuiltModel& trained, const Task& task);

/// The format of an exported file: "package", "onnx", "npz", …
std::string target_name(const std::filesystem::path& file);

/// {"images", "logits", "differing": {"package": n, "onnx": n, …}}, and under "inexact" what QDQ files
/// give.
nlohmann::ordered_json verify_json(const std::vector<VerifyReport>& reports);

/// Prints a line a file; whether none of them differs.
bool print_verification(const std::vector<VerifyReport>& reports);

}  // namespace samebits::training
