#include "torch_ext/onnx_process.h"

#include <dlfcn.h>
#include <stdlib.h>

#include <cstring>
#include <fstream>
#include <limits>
#include <sstream>
#include <string>
#include <system_error>
#include <vector>

#include "io/child_process.h"
#include "io/safetensors.h"
#include "io/temporary_folder.h"
#include "torch_ext/verify.h"

namespace samebits {
namespace {

namespace fs = std::filesystem;

std::string python() {
  if (const char* chosen = std::getenv("SAMEBITS_PYTHON")) return chosen;
  return fs::exists(SAMEBITS_DEFAULT_PYTHON) ? SAMEBITS_DEFAULT_PYTHON : "python3";
}

/// Where python/samebits lies: beside the library as it was installed, else in the sources.
std::string python_path() {
  Dl_info library = {};
  if (dladdr(reinterpret_cast<const void*>(&python_path), &library) == 0) return SAMEBITS_PYTHON_PATH;
  const fs::path installed = fs::absolute(library.dli_fname).parent_path() / "samebits" / "python";
  return fs::exists(installed / "samebits" / "onnx_runner.py") ? installed.string() : SAMEBITS_PYTHON_PATH;
}

/// The environment of this process with the project's Python first, and Python told to leave out the folder
/// that it runs in.
std::vector<std::string> child_environment() {
  const char* earlier = std::getenv("PYTHONPATH");
  return io::environment_with(
      {"PYTHONSAFEPATH=1", "PYTHONPATH=" + python_path() +
                               (earlier == nullptr || *earlier == '\0' ? "" : std::string(":") + earlier)});
}

/// What a program said, without the "error: " that whoever reports it writes too.
std::string message_in(const fs::path& log) {
  std::ostringstream stream;
  stream << std::ifstream(log).rdbuf();
  std::string text = stream.str();
  if (text.starts_with("error: ")) text.erase(0, std::strlen("error: "));
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

/// Runs Python in `folder`, where nothing lies that it could import instead of ours, with its messages in
/// `log`; its exit code.
int run(std::vector<std::string> arguments, const fs::path& folder, const fs::path& log) {
  const std::string program = arguments[0];
  try {
    return io::run_process(std::move(arguments), child_environment(), folder, log);
  } catch (const std::system_error& error) {
    throw MissingDependency("[onnx] " + program + ": expected a Python with onnxruntime, got: " +
                            error.code().message() + "; set SAMEBITS_PYTHON");
  }
}

const char* dtype_name(torch::ScalarType type) {
  if (type == torch::kFloat) return "F32";
  TORCH_CHECK(type == torch::kLong || type == torch::kBool,
              "[onnx] input: expected float32, int64 or bool, got ", type);
  return type == torch::kLong ? "I64" : "BOOL";
}

io::TensorData data_of(const torch::Tensor& x_any) {
  const torch::Tensor x = x_any.contiguous();
  const auto* bytes = static_cast<const std::uint8_t*>(x.const_data_ptr());
  return {dtype_name(x.scalar_type()), x.sizes().vec(), {bytes, bytes + x.nbytes()}};
}

/// "x", "x:1", …
io::SafetensorsFile file_of(const std::vector<torch::Tensor>& tensors) {
  io::SafetensorsFile file;
  for (std::size_t i = 0; i < tensors.size(); ++i)
    file.tensors[i == 0 ? "x" : "x:" + std::to_string(i)] = data_of(tensors[i]);
  return file;
}

/// As many rows at a time as the runner takes by itself, or all.
std::vector<std::string> options_of(const OnnxInputs& inputs) {
  if (inputs.are_rows) return {};
  return {"--batch", std::to_string(std::numeric_limits<std::int64_t>::max())};
}

torch::Tensor tensor_of(const io::TensorData& y, const fs::path& file) {
  torch::Tensor result = torch::empty(y.shape);
  TORCH_CHECK(result.nbytes() == y.bytes.size(), "[onnx] ", file.string(), ": expected float32 results");
  if (!y.bytes.empty()) std::memcpy(result.mutable_data_ptr<float>(), y.bytes.data(), y.bytes.size());
  return result;
}

/// What python/samebits/onnx_runner.py writes for `input`.
io::SafetensorsFile run_file(const fs::path& file, const io::SafetensorsFile& input,
                             const std::vector<std::string>& options) {
  const io::TemporaryFolder folder;
  const fs::path input_path = folder.path() / "x.safetensors", output_path = folder.path() / "y.safetensors";
  io::write_safetensors(input_path, input);
  const fs::path log = folder.path() / "log.txt";
  std::vector<std::string> arguments = {python(),
                                        "-P",
                                        "-m",
                                        "samebits.onnx_runner",
                                        fs::absolute(file).string(),
                                        input_path.string(),
                                        output_path.string()};
  arguments.insert(arguments.end(), options.begin(), options.end());
  const int code = run(std::move(arguments), folder.path(), log);
  if (code == 3) throw MissingDependency(message_in(log));
  if (code != 0)
    throw std::runtime_error("[onnx] " + file.string() + ": expected onnxruntime to run it, got exit code " +
                             std::to_string(code) + ": " + message_in(log));
  return io::read_safetensors(output_path);
}

}  // namespace

torch::Tensor run_onnx(const fs::path& file, const OnnxInputs& inputs) {
  return tensor_of(run_file(file, file_of(inputs.tensors), options_of(inputs)).tensors.at("y"), file);
}

std::map<std::string, torch::Tensor> run_onnx_parts(const fs::path& file, const OnnxInputs& inputs,
                                                    const std::map<std::string, torch::Tensor>& given,
                                                    const std::map<std::string, torch::Tensor>& wanted) {
  io::SafetensorsFile input = file_of(inputs.tensors);
  for (const auto& [name, value] : given) input.tensors["value:" + name] = data_of(value);
  std::vector<std::string> options = options_of(inputs);
  for (const auto& [name, ignored] : wanted) options.insert(options.end(), {"--value", name});
  std::map<std::string, torch::Tensor> results;
  if (wanted.empty()) return results;
  const io::SafetensorsFile output = run_file(file, input, options);
  for (const auto& [name, ignored] : wanted)
    results[name] = tensor_of(output.tensors.at("value:" + name), file);
  return results;
}

}  // namespace samebits
