#include "training/ship/deploy.h"

#include <torch/torch.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <system_error>

#include "export/formats.h"
#include "io/atomic_file.h"
#include "io/child_process.h"
#include "io/sha256.h"
#include "training/errors.h"
#include "training/library_errors.h"
#include "training/ship/deploy_texts.h"
#include "training/ship/run_exports.h"

namespace samebits::training {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;
using torch::Tensor;

constexpr std::int64_t kExamples = 16;

std::string deploy_text(std::string_view name) {
  for (const DeployText& each : kDeployTexts)
    if (name == each.name) return each.text;
  throw std::logic_error("no text " + std::string(name));
}

std::string replaced(std::string text, std::string_view what, const std::string& by) {
  for (std::size_t at; (at = text.find(what)) != std::string::npos;) text.replace(at, what.size(), by);
  return text;
}

std::string file_bytes(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string bytes_of(const Tensor& tensor) {
  const Tensor plain = tensor.detach().to(torch::kCPU).contiguous();
  return {static_cast<const char*>(plain.const_data_ptr()), plain.nbytes()};
}

/// Some test examples and what the model makes of them.
struct Proof {
  Tensor x, y;
};

Proof make_proof(const TrainableModel& model, const Task& task) {
  const EvalGuard eval(*model.module);
  const torch::NoGradGuard no_grad;
  const Tensor x = task.test().range(0, std::min(kExamples, task.test().size())).x;
  return {x, model.forward(x)};
}

/// The library that is installed, or was built, with this program.
fs::path runtime_library() {
  const fs::path program = fs::read_symlink("/proc/self/exe");
  const fs::path library =
      program.parent_path().parent_path() / SAMEBITS_LIBRARY_FOLDER / "libsamebits_runtime.so";
  if (!fs::exists(library))
    throw UsageError("[deploy] " + library.string() +
                     ": expected the runtime beside this program, got no such file; install samebits whole");
  return library;
}

void write_formats(const DeployTarget& target, const fs::path& folder, const QuantizedModel& model) {
  for (const std::string_view name : target.formats) {
    const ExportFormat* format = find_format(name);
    if (format == nullptr)
      model.export_onnx(folder / "model.onnx");
    else
      format->save(model.graph(), (folder / "model").replace_extension(format->extension));
  }
}

void write_runtime(const fs::path& folder) {
  fs::create_directories(folder / "lib");
  fs::create_directories(folder / "include/samebits");
  // By the name that a program looks for, and by the one that a linker does.
  const fs::path library = fs::canonical(runtime_library());
  const std::string soname = std::string("libsamebits_runtime.so.") + SAMEBITS_SOVERSION;
  io::write_file_atomically(folder / "lib" / soname, file_bytes(library));
  fs::create_symlink(soname, folder / "lib/libsamebits_runtime.so");
  io::write_file_atomically(folder / "include/samebits/runtime.h", deploy_text("runtime.h"));
}

void write_examples(const DeployTarget& target, const fs::path& folder, const Proof& proof) {
  io::write_file_atomically(folder / "input.bin", bytes_of(proof.x));
  io::write_file_atomically(folder / "expected.bin", bytes_of(proof.y));
  const std::string inputs = std::to_string(proof.x[0].numel()), outputs = std::to_string(proof.y[0].numel());
  for (const std::string_view name : target.examples)
    io::write_file_atomically(folder / name,
                              replaced(replaced(deploy_text(name), "INPUTS", inputs), "OUTPUTS", outputs));
}

/// Command lines that run an example, one after another, each for its own folder.
std::vector<std::vector<std::string>> commands_of(std::string_view example) {
  const char* chosen = std::getenv("CC");
  const std::string compiler = chosen == nullptr ? "cc" : chosen;
  const char* python = std::getenv("SAMEBITS_PYTHON");
  if (example == "run_package.c")
    return {{compiler, "-std=c99", "run_package.c", "-Iinclude", "-Llib", "-lsamebits_runtime",
             "-Wl,-rpath,$ORIGIN/lib", "-o", "run_package"},
            {"./run_package"}};
  if (example == "run_header.c")
    return {{compiler, "-std=c99", "-ffp-contract=off", "run_header.c", "-lm", "-o", "run_header"},
            {"./run_header"}};
  return {{python == nullptr ? "python3" : python, "-P", std::string(example)}};
}

/// Runs the program and compares what it wrote with the model's own.
ExampleRun run_example(const fs::path& folder, std::string_view example, const Proof& proof) {
  ExampleRun result{.file = std::string(example), .not_run = {}};
  const fs::path log = folder / "log.txt", output = folder / "output.bin";
  for (const std::vector<std::string>& command : commands_of(example)) {
    try {
      if (io::run_process(command, io::environment_with({}), folder, log) != 0)
        result.not_run = command[0] + ": " + file_bytes(log);
    } catch (const std::system_error& error) {
      result.not_run = command[0] + ": " + error.code().message();
    }
    if (!result.not_run.empty()) break;
  }
  if (result.not_run.empty()) {
    const std::string expected = bytes_of(proof.y), got = file_bytes(output);
    for (std::size_t at = 0; at < expected.size(); at += sizeof(float))
      result.differing +=
          got.size() != expected.size() || expected.compare(at, sizeof(float), got, at, sizeof(float));
  }
  for (const char* left : {"log.txt", "output.bin", "run_package", "run_header"}) fs::remove(folder / left);
  return result;
}

ordered_json file_list(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& each : fs::recursive_directory_iterator(folder))
    if (each.is_regular_file() && !each.is_symlink()) files.push_back(fs::relative(each.path(), folder));
  std::sort(files.begin(), files.end());
  ordered_json list = ordered_json::object();
  for (const fs::path& file : files) {
    const std::string bytes = file_bytes(folder / file);
    list[file.string()] = {{"bytes", bytes.size()}, {"sha256", io::sha256(bytes)}};
  }
  return list;
}

ordered_json runs_json(const std::vector<ExampleRun>& runs) {
  ordered_json json = ordered_json::object();
  for (const ExampleRun& each : runs)
    json[each.file] = each.not_run.empty() ? ordered_json{{"differing", each.differing}}
                                           : ordered_json{{"not_run", each.not_run}};
  return json;
}

ordered_json types_of(const graph::Graph& graph) {
  ordered_json inputs = ordered_json::array();
  for (const graph::Input& input : graph.inputs)
    inputs.push_back({{"name", input.name},
                      {"dtype", graph::to_text(input.type.dtype)},
                      {"shape", graph::to_text(input.type.shape)}});
  return inputs;
}

/// Removes what was half made.
class HalfMade {
 public:
  explicit HalfMade(fs::path folder) : folder_(std::move(folder)) { fs::create_directories(folder_); }
  ~HalfMade() {
    std::error_code ignored;
    fs::remove_all(folder_, ignored);
  }
  HalfMade(const HalfMade&) = delete;
  HalfMade& operator=(const HalfMade&) = delete;
  const fs::path& path() const { return folder_; }

 private:
  fs::path folder_;
};

fs::path beside(const fs::path& folder) {
  fs::path whole = fs::absolute(folder).lexically_normal();
  if (whole.filename().empty()) whole = whole.parent_path();
  return whole.parent_path() / ("." + whole.filename().string() + ".partial");
}

}  // namespace

std::span<const DeployTarget> deploy_targets() {
  static const std::array<DeployTarget, 4> kTargets = {{
      {.name = "mobile",
       .summary = "package and ONNX file; the runtime or ONNX Runtime comes from the app",
       .formats = {"package", "onnx"},
       .examples = {"run_onnx.py"}},
      {.name = "desktop",
       .summary = "package with the runtime of this machine",
       .formats = {"package"},
       .examples = {"run_package.c", "run_package.py"},
       .has_runtime = true},
      {.name = "edge",
       .summary = "one C99 header, no operating system needed",
       .formats = {"c_header"},
       .examples = {"run_header.c"}},
      {.name = "server",
       .summary = "package with the runtime of this machine, and ONNX file",
       .formats = {"package", "onnx"},
       .examples = {"run_package.c", "run_package.py", "run_onnx.py"},
       .has_runtime = true},
  }};
  return kTargets;
}

const DeployTarget& deploy_target(std::string_view name) {
  std::string names;
  for (const DeployTarget& each : deploy_targets()) {
    if (each.name == name) return each;
    names += (names.empty() ? "" : ", ") + std::string(each.name);
  }
  throw UsageError("[deploy] --target: expected one of " + names + ", got " + std::string(name));
}

bool Deployed::is_same() const {
  bool is_same = true, sums_otherwise = false;
  for (const VerifyReport& each : reports) {
    is_same = is_same && each.differing == 0;
    sums_otherwise = sums_otherwise || each.differing_float > 0;  // an engine's float layers
  }
  for (const ExampleRun& each : runs)
    is_same = is_same && (each.differing == 0 || (each.file == "run_onnx.py" && sums_otherwise));
  return is_same;
}

Deployed deploy(const DeployTarget& target, const fs::path& folder, const TrainableModel& model,
                const Task& task) {
  if (fs::exists(folder))
    throw UsageError(
        "[deploy] " + folder.string() +
        ": expected a folder that is not there yet, got one; remove it or choose another by --out");
  const Proof proof = make_proof(model, task);
  if (!proof.x.is_floating_point() && target.examples.front() != "run_onnx.py")
    throw UsageError("[deploy] --target " + std::string(target.name) +
                     ": expected a model of float32 inputs, got one of tokens; use --target mobile");
  const HalfMade half(beside(folder));
  Deployed deployed;
  const QuantizedModel quantized = convert(ref_of(model), task.test().range(0, 2).x, "model");
  write_formats(target, half.path(), quantized);
  if (target.has_runtime) write_runtime(half.path());
  write_examples(target, half.path(), proof);
  for (const char* file : {"model.samebits", "model.onnx"})
    if (fs::exists(half.path() / file))
      deployed.reports.push_back(verify(ref_of(model), half.path() / file, test_inputs(task, 500)));
  for (const std::string_view example : target.examples)
    deployed.runs.push_back(run_example(half.path(), example, proof));
  const ordered_json manifest = {
      {"samebits", SAMEBITS_VERSION},          {"target", target.name},
      {"inputs", types_of(quantized.graph())}, {"verified", verify_json(deployed.reports)},
      {"programs", runs_json(deployed.runs)},  {"files", file_list(half.path())}};
  io::write_file_atomically(half.path() / "manifest.json", manifest.dump(2) + "\n");
  fs::rename(half.path(), folder);
  return deployed;
}

}  // namespace samebits::training
