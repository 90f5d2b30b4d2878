// What follows training: export, proof, report. Each reads the run directory, so that each can be done again
// later.
#pragma once

#include <nlohmann/json.hpp>
#include <vector>

#include "torch_ext/verify.h"
#include "training/data/dataset.h"
#include "training/run_directory.h"
#include "training/trainer.h"

namespace samebits::training {

/// The trained model of a run: checkpoint `name` ("final", or "last" before the end).
PreparedModel load_trained(const RunDirectory& run, const Config& config, const Dataset& data,
                           const std::string& name = "final");

/// Writes the files that `exports` names ("package", "onnx") into the run's export folder.
void export_run(const RunDirectory& run, PreparedModel& trained, const Dataset& data,
                const std::vector<std::string>& exports);

/// Replays the whole test set through every exported file.
std::vector<VerifyReport> verify_run(const RunDirectory& run, PreparedModel& trained, const Dataset& test);

/// {"images", "logits", "differing": {"package": n, "onnx": n}}.
nlohmann::ordered_json verify_json(const std::vector<VerifyReport>& reports);

/// report.html and status.json (state done, accuracies) from metrics.jsonl, the model and the verification.
void write_report(RunDirectory& run, const Config& config, PreparedModel& trained, const Datasets& data,
                  const std::vector<VerifyReport>& verification);

}  // namespace samebits::training
