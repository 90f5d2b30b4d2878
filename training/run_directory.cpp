#include "training/run_directory.h"

#include <ATen/Parallel.h>
#include <torch/version.h>

#include <chrono>
#include <cstring>
#include <ctime>
#include <fstream>
#include <sstream>
#include <stdexcept>

#include "io/atomic_file.h"
#include "kernels/common/isa.h"
#include "kernels/common/kernel.h"

namespace samebits::training {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

std::string utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[32];
  std::strftime(text, sizeof text, "%Y%m%d-%H%M%S", &parts);
  return text;
}

[[noreturn]] void fail(const fs::path& path, const std::string& cause) {
  throw io::WriteError("[run] " + path.string() + ": " + cause +
                       "; choose another folder with --set output=DIR");
}

/// A folder that did not exist: two runs of one second get -2, -3, …
fs::path make_folder(const fs::path& parent) {
  std::error_code error;
  fs::create_directories(parent, error);
  if (error) fail(parent, "cannot make the folder: " + error.message());
  const std::string stem = utc_now();
  for (int attempt = 1;; ++attempt) {
    const fs::path path = parent / (attempt == 1 ? stem : stem + "-" + std::to_string(attempt));
    if (fs::create_directory(path, error)) return path;
    if (error) fail(path, "cannot make the folder: " + error.message());
  }
}

void link_latest(const fs::path& run) {
  const fs::path link = run.parent_path() / "latest", temporary = run.parent_path() / ".latest";
  std::error_code ignored;  // a convenience: a file system without links does without
  fs::remove(temporary, ignored);
  fs::create_directory_symlink(run.filename(), temporary, ignored);
  fs::rename(temporary, link, ignored);
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown processor";
}

}  // namespace

RunDirectory RunDirectory::create(const Config& config) {
  RunDirectory run(make_folder(fs::path(config.output) / config.name));
  for (const char* name : {"checkpoints", "export"}) {
    std::error_code error;
    if (!fs::create_directory(run.path_ / name, error))
      fail(run.path_ / name, "cannot make the folder: " + error.message());
  }
  Config resolved = config;
  resolved.threads = at::get_num_threads();  // a resumed run must use as many: BLAS sums depend on it
  run.write_text("config.resolved.yaml", to_yaml(resolved));
  run.write_json("env.json", environment());
  link_latest(run.path_);
  return run;
}

RunDirectory RunDirectory::open(const fs::path& path) {
  if (!fs::exists(path / "config.resolved.yaml"))
    throw std::runtime_error(
        "[run] " + path.string() +
        ": expected the folder of a run, got one without config.resolved.yaml; look in runs/");
  return RunDirectory(fs::canonical(path));
}

Config RunDirectory::config() const {
  return load_config((path_ / "config.resolved.yaml").string(), {});
}

void RunDirectory::append_metric(const ordered_json& record) {
  std::ofstream file(path_ / "metrics.jsonl", std::ios::app);
  file << record.dump() << '\n';
  file.flush();
  if (!file)
    throw io::WriteError("[write] " + (path_ / "metrics.jsonl").string() + ": " + std::strerror(errno));
}

std::vector<ordered_json> RunDirectory::metrics() const {
  std::vector<ordered_json> records;
  std::ifstream file(path_ / "metrics.jsonl");
  for (std::string line; std::getline(file, line);) {
    ordered_json record = ordered_json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!record.is_discarded()) records.push_back(std::move(record));  // a killed run may leave half a line
  }
  return records;
}

void RunDirectory::keep_metrics_until(std::int64_t step, bool with_ptq) {
  std::string text;
  for (const ordered_json& record : metrics())
    if (record.at("step").get<std::int64_t>() <= step && (with_ptq || record.at("kind") != "ptq"))
      text += record.dump() + "\n";
  write_text("metrics.jsonl", text);
}

void RunDirectory::write_json(const std::string& name, const ordered_json& value) const {
  write_text(name, value.dump(2) + "\n");
}

ordered_json RunDirectory::read_json(const std::string& name) const {
  std::ifstream file(path_ / name);
  ordered_json value = ordered_json::parse(file, nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) throw std::runtime_error("[run] " + (path_ / name).string() + ": expected JSON");
  return value;
}

void RunDirectory::write_text(const std::string& name, const std::string& text) const {
  io::write_file_atomically(path_ / name, text);
}

ordered_json environment() {
  ordered_json features = ordered_json::array(), used = ordered_json::object();
  for (const auto& feature : kernels::isa::processor_features())
    if (feature.present) features.push_back(feature.name);
  for (const auto* kernel : kernels::all_kernels())
    for (const auto& each : kernel->statuses())
      if (each.used) used[kernel->name()] = each.name;
  return {{"samebits", SAMEBITS_VERSION},    {"libtorch", TORCH_VERSION}, {"compiler", __VERSION__},
          {"processor", processor_name()},   {"features", features},      {"kernels", used},
          {"threads", at::get_num_threads()}};
}

std::string machine_text() {
  const ordered_json env = environment();
  std::string features;
  for (const auto& each : env["features"])
    features += (features.empty() ? "" : " ") + each.get<std::string>();
  return env["processor"].get<std::string>() + ", " + features + ", " +
         std::to_string(at::get_num_threads()) + " threads, LibTorch " + TORCH_VERSION;
}

}  // namespace samebits::training
