#include "training/run/run_directory.h"

#include <ATen/Parallel.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <torch/version.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <ctime>
#include <fstream>
#include <sstream>

#include "io/atomic_file.h"
#include "io/error.h"
#include "io/posix.h"
#include "io/regular_file.h"
#include "kernels/common/isa.h"
#include "kernels/common/kernel.h"
#include "training/errors.h"
#include "training/library_errors.h"

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

/// A run of 10^9 steps that writes a record every ten has less.
constexpr std::uint64_t kLargestText = std::uint64_t{1} << 34;

/// Of io::temporary_beside().
constexpr char kTemporaryPrefix[] = ".samebits-";

bool is_record(const ordered_json& record) {
  const auto is_text = [&](const char* key) { return record.contains(key) && record[key].is_string(); };
  if (!record.is_object() || !is_text("kind") || !record.contains("step") ||
      !record["step"].is_number_unsigned())
    return false;
  return record["kind"] == "ptq" ||
         ((record["kind"] == "step" || record["kind"] == "epoch") && is_text("phase"));
}

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);)
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  return "unknown processor";
}

}  // namespace

RunLock::RunLock(const fs::path& folder)
    : descriptor_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (descriptor_ < 0 || ::flock(descriptor_, LOCK_EX | LOCK_NB) == 0 || errno != EWOULDBLOCK) return;
  ::close(descriptor_);
  throw UsageError("[run] " + folder.string() +
                   ": expected a run that no other process writes to, got one in use; wait until that ends");
}

RunLock::~RunLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void RunDirectory::lock() {
  lock_.emplace(path_);
  for (const fs::path& folder : {path_, path_ / "checkpoints", path_ / "export", path_ / "ptq"}) {
    std::error_code ignored;  // what cannot be removed is in nobody's way
    for (const auto& entry : fs::directory_iterator(folder, ignored))
      if (entry.path().filename().string().starts_with(kTemporaryPrefix))
        fs::remove_all(entry.path(), ignored);
  }
}

fs::path RunDirectory::newest_checkpoint() const {
  return fs::exists(checkpoint("final")) ? checkpoint("final") : checkpoint("last");
}

RunDirectory RunDirectory::create(const Config& config) {
  RunDirectory run(make_folder(fs::path(config.output) / config.name));
  run.lock();
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
    throw UsageError("[run] " + path.string() +
                     ": expected the folder of a run, got one without config.resolved.yaml; look in runs/");
  return RunDirectory(fs::canonical(path));
}

Config RunDirectory::config() const {
  return load_config((path_ / "config.resolved.yaml").string(), {});
}

void RunDirectory::append_metric(const ordered_json& record) {
  const fs::path path = path_ / "metrics.jsonl";
  io::Descriptor file(
      ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0666), path);
  struct stat status = {};
  if (::fstat(file.get(), &status) != 0) io::fail_write(path, errno);
  if (!S_ISREG(status.st_mode))
    throw io::WriteError("[write] " + path.string() + ": expected a regular file, got another; remove it");
  const std::string line = record.dump() + "\n";
  const ssize_t written = ::write(file.get(), line.data(), line.size());
  if (written < 0) io::fail_write(path, errno);
  if (static_cast<std::size_t>(written) != line.size()) io::fail_write(path, ENOSPC);
  if (!file.close()) io::fail_write(path, errno);
}

std::vector<ordered_json> RunDirectory::metrics() const {
  std::vector<ordered_json> records;
  std::istringstream file(read_file("metrics.jsonl"));
  std::int64_t number = 0, wrong = 0;
  std::string wrong_text;
  for (std::string line; std::getline(file, line);) {
    ++number;
    if (wrong > 0) break;  // it was not the last
    ordered_json record = ordered_json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (is_record(record)) {
      records.push_back(std::move(record));
    } else {
      wrong = number;
      wrong_text = line;
    }
  }
  if (wrong > 0 && number > wrong)
    throw UsageError("[run] " + (path_ / "metrics.jsonl").string() + ":" + std::to_string(wrong) +
                     ": expected a record with kind, step and phase, got " + io::shortened(wrong_text) +
                     "; remove the line or start a new run");
  return records;
}

void RunDirectory::keep_metrics_until(std::int64_t step, bool with_ptq) {
  std::string text;
  for (const ordered_json& record : metrics())
    if (record["step"].get<std::int64_t>() <= step && (with_ptq || record["kind"] != "ptq"))
      text += record.dump() + "\n";
  write_text("metrics.jsonl", text);
}

void RunDirectory::write_json(const std::string& name, const ordered_json& value) const {
  write_text(name, value.dump(2) + "\n");
}

ordered_json RunDirectory::read_json(const std::string& name) const {
  ordered_json value = ordered_json::parse(read_file(name), nullptr, /*allow_exceptions=*/false);
  if (value.is_discarded()) throw UsageError("[run] " + (path_ / name).string() + ": expected JSON");
  return value;
}

std::string RunDirectory::read_file(const std::string& name) const {
  if (!fs::exists(path_ / name)) return "";
  return refusing([&] { return io::RegularFile(path_ / name, "run").read_all(kLargestText); });
}

void RunDirectory::write_text(const std::string& name, const std::string& text) const {
  const fs::path path = path_ / name;
  // A pipe in the place of a file of the run would be written into, and waited for.
  if (fs::is_other(fs::symlink_status(path))) fs::remove(path);
  io::write_file_atomically(path, text);
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
