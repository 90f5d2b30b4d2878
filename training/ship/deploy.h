// A folder for another machine: a model in the formats of that kind of machine, the runtime where one is
// needed, programs that load it and were run, and a manifest with the hash of each file.
#pragma once

#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "torch_ext/convert.h"
#include "torch_ext/verify.h"
#include "training/models/model.h"
#include "training/tasks/task.h"

namespace samebits::training {

struct DeployTarget {
  std::string_view name, summary;
  std::vector<std::string_view> formats;   // "onnx", and of export/formats.h
  std::vector<std::string_view> examples;  // of examples/deploy/
  bool has_runtime = false;                // libsamebits_runtime.so of this machine and its header
};

/// mobile, desktop, edge and server.
std::span<const DeployTarget> deploy_targets();
/// Of deploy_targets(). Throws UsageError "[deploy] --target: expected …".
const DeployTarget& deploy_target(std::string_view name);

/// What a loading program did with examples of the test set.
struct ExampleRun {
  std::string file;
  std::string not_run;         // why not; empty: it was
  std::int64_t differing = 0;  // outputs that are not the model's bits
};

struct Deployed {
  std::vector<VerifyReport> reports;  // of the files that verify() can run, on the whole test set
  std::vector<ExampleRun> runs;
  /// Whether no file and no program that was run gives other bits.
  bool is_same() const;
};

/// Makes `folder`, which must not be there yet, whole or not at all. Throws UsageError when a format cannot
/// hold the model, io::WriteError.
Deployed deploy(const DeployTarget& target, const std::filesystem::path& folder, const TrainableModel& model,
                const Task& task);

}  // namespace samebits::training
