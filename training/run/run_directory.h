// The folder of one run: output/NAME/TIME/ with config.resolved.yaml, env.json, metrics.jsonl, status.json,
// events.out.tfevents.*, checkpoints/, export/ and report.html. output/NAME/latest links to the newest.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "training/config.h"

namespace samebits::training {

/// Holds a run's folder against other processes until destroyed, however the process ends.
class RunLock {
 public:
  /// Throws UsageError when another process holds `folder`. A file system without locks does without.
  explicit RunLock(const std::filesystem::path& folder);
  ~RunLock();
  RunLock(RunLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  RunLock& operator=(RunLock&&) = delete;

 private:
  int descriptor_ = -1;
};

class RunDirectory {
 public:
  /// Makes the folder of a new run and writes config.resolved.yaml and env.json into it. Throws
  /// io::WriteError
  /// "[run] PATH: …" when it cannot make it; so do the functions below that write.
  static RunDirectory create(const Config& config);

  /// An existing run. Throws UsageError when `path` is none.
  static RunDirectory open(const std::filesystem::path& path);

  /// For who writes into the folder: from now on no other process may, and what killed ones left half written
  /// goes.
  void lock();

  const std::filesystem::path& path() const { return path_; }
  Config config() const;
  std::filesystem::path checkpoint(const std::string& name) const {
    return path_ / "checkpoints" / (name + ".safetensors");
  }
  /// "final", or "last" before the end.
  std::filesystem::path newest_checkpoint() const;
  std::filesystem::path package() const { return path_ / "export" / "model.samebits"; }
  std::filesystem::path onnx() const { return path_ / "export" / "model.onnx"; }

  /// Appends one line to metrics.jsonl.
  void append_metric(const nlohmann::ordered_json& record);
  /// Every record: an object with `kind` ("step", "epoch" or "ptq"), `step` and, but for ptq, `phase`. Half a
  /// line that a killed run left at the end is left out. Throws UsageError that names any other line.
  std::vector<nlohmann::ordered_json> metrics() const;
  /// Keeps only the records up to global step `step`: what a resumed run will write again goes. Post-training
  /// quantization is measured behind the last float step, so its record stays only `with_ptq`.
  void keep_metrics_until(std::int64_t step, bool with_ptq);

  void write_json(const std::string& name, const nlohmann::ordered_json& value) const;
  nlohmann::ordered_json read_json(const std::string& name) const;
  void write_text(const std::string& name, const std::string& text) const;

 private:
  explicit RunDirectory(std::filesystem::path path) : path_(std::move(path)) {}
  /// A regular file's text; empty when there is none.
  std::string read_file(const std::string& name) const;
  std::filesystem::path path_;
  std::optional<RunLock> lock_;
};

/// Processor, instruction sets, kernels in use, threads, versions: what env.json holds.
nlohmann::ordered_json environment();
/// The same in one line: "Intel Xeon …, amx, 2 threads".
std::string machine_text();

}  // namespace samebits::training
