// Fuzzes what reads files: JSON, graph.json, safetensors, and whole packages, which are saved again and run
// when they load. Wrong files must end in std::runtime_error and in nothing else.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "graph/package.h"
#include "graph/package_json.h"
#include "graph/shapes.h"
#include "io/safetensors.h"
#include "runtime/interpreter.h"
#include "tests/fuzz/fuzz_case.h"

namespace samebits::fuzz {
namespace {

/// A folder in memory, or in /tmp, that lives as long as the process.
const std::filesystem::path& folder() {
  static const std::filesystem::path path = [] {
    std::string name =
        std::filesystem::exists("/dev/shm") ? "/dev/shm/samebits_fuzz_XXXXXX" : "/tmp/samebits_fuzz_XXXXXX";
    if (mkdtemp(name.data()) == nullptr) report("mkdtemp failed");
    static const std::filesystem::path kept = name;
    std::atexit([] { std::filesystem::remove_all(kept); });
    return kept;
  }();
  return path;
}

void write(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

/// What was read must be written to bytes that read the same.
void read_tensors(const std::string& text) {
  const std::filesystem::path path = folder() / "file.safetensors";
  write(path, text);
  const io::SafetensorsFile file = io::read_safetensors(path);
  const std::string bytes = io::safetensors_bytes(file, path);
  write(path, bytes);
  expect(io::safetensors_bytes(io::read_safetensors(path), path) == bytes,
         "safetensors: another file when written again");
}

std::int64_t elements(const runtime::Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) count *= size < 0 ? 1 : std::min<std::int64_t>(size, 1 << 20);
  return count;
}

/// Small graphs are run; the numbers are the tests' business, memory is this one's.
void run(const runtime::Graph& graph) {
  for (const runtime::Shape& shape : runtime::checked_shapes(graph))
    if (elements(shape) > 4096) return;
  for (const runtime::Node& node : graph.nodes)
    if (node.window.kernel[0] * node.window.kernel[1] > 1024) return;
  runtime::Array x{graph.input_shape, {}};
  x.shape[0] = 1;
  x.values.resize(static_cast<std::size_t>(elements(x.shape)), 0.5f);
  runtime::Interpreter interpreter(graph);
  const runtime::Array y = interpreter.run(x);
  expect(std::ssize(y.values) == elements(y.shape), "interpreter: sizes of the output");
}

void read_package(const std::string& graph_text, const std::string& tensors) {
  const std::filesystem::path package = folder() / "net.samebits";
  std::filesystem::create_directories(package);
  write(package / "graph.json", graph_text);
  write(package / "codes.safetensors", tensors);
  const runtime::Graph graph = runtime::load_package(package);
  runtime::save_package(graph, package);
  const runtime::Graph again = runtime::load_package(package);
  expect(runtime::to_json(again) == runtime::to_json(graph), "package: another graph when saved again");
  run(graph);
}

/// The first byte chooses the reader. A package is graph.json, a byte 0, and codes.safetensors.
void fuzz(std::string input) {
  if (input.empty()) return;
  const char reader = input[0];
  input.erase(0, 1);
  if (reader == 'g') {
    (void)runtime::from_json(input);
  } else if (reader == 's') {
    read_tensors(input);
  } else if (reader == 'p') {
    const std::size_t end = std::min(input.find('\0'), input.size());
    read_package(input.substr(0, end), end < input.size() ? input.substr(end + 1) : std::string());
  }
}

}  // namespace
}  // namespace samebits::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    samebits::fuzz::fuzz(std::string(reinterpret_cast<const char*>(data), size));
  } catch (const std::runtime_error&) {
    // The answer to a file that is not as docs/reference/package.md says.
  }
  return 0;
}
