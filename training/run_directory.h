// The folder of one run: output/NAME/TIME/ with config.resolved.yaml, env.json, metrics.jsonl, status.json,
// events.out.tfevents.*, checkpoints/, export/ and report.html. output/NAME/latest links to the newest.
#pragma once

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "training/config.h"

namespace samebits::training {

class RunDirectory {
 public:
  /// Makes the folder of a new run and writes config.resolved.yaml and env.json into it. Throws
  /// io::WriteError
  /// "[run] PATH: …" when it cannot make it; so do the functions below that write.
  static RunDirectory create(const Config& config);

  /// An existing run. Throws std::runtime_error when `path` is none.
  static RunDirectory open(const std::filesystem::path& path);

  const std::filesystem::path& path() const { return path_; }
  Config config() const;
  std::filesystem::path checkpoint(const std::string& name) const {
    return path_ / "checkpoints" / (name + ".safetensors");
  }
  std::filesystem::path package() const { return path_ / "export" / "model.samebits"; }
  std::filesystem::path onnx() const { return path_ / "export" / "model.onnx"; }

  /// Appends one line to metrics.jsonl.
  void append_metric(const nlohmann::ordered_json& record);
  std::vector<nlohmann::ordered_json> metrics() const;
  /// Keeps only the records up to global step `step`: what a resumed run will write again goes. Post-training
  /// quantization is measured behind the last float step, so its record stays only `with_ptq`.
  void keep_metrics_until(std::int64_t step, bool with_ptq);

  void write_json(const std::string& name, const nlohmann::ordered_json& value) const;
  nlohmann::ordered_json read_json(const std::string& name) const;
  void write_text(const std::string& name, const std::string& text) const;

 private:
  explicit RunDirectory(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

/// Processor, instruction sets, kernels in use, threads, versions: what env.json holds.
nlohmann::ordered_json environment();
/// The same in one line: "Intel Xeon …, amx, 2 threads".
std::string machine_text();

}  // namespace samebits::training
