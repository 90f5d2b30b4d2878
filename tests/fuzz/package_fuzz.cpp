// Fuzzes what reads files: JSON, graph.json, safetensors, and whole packages, which are saved again and run
// when they load. Wrong files must end in std::runtime_error and in nothing else.
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

#include "graph/operator.h"
#include "graph/ops/pool/avg_pool2d.h"
#include "graph/ops/pool/max_pool2d.h"
#include "graph/package.h"
#include "graph/package_json.h"
#include "io/json.h"
#include "io/safetensors.h"
#include "io/sha256.h"
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

std::int64_t elements(const graph::Shape& shape) {
  std::int64_t count = 1;
  for (const std::int64_t size : graph::sizes_at(shape, {1, 1}))
    count *= std::clamp<std::int64_t>(size, 1, 1 << 20);
  return count;
}

/// Whether a pool of many elements a window would take its time.
bool is_slow(const graph::Node& node) {
  const auto area = [](const graph::Pair& kernel) { return kernel[0] * kernel[1]; };
  if (graph::is_a<graph::MaxPool2d>(node)) return area(node.as<graph::MaxPool2d>().kernel) > 1024;
  return graph::is_a<graph::AvgPool2d>(node) && area(node.as<graph::AvgPool2d>().kernel) > 1024;
}

/// Small graphs are run; the numbers are the tests' business, memory is this one's.
void run(const graph::Graph& graph) {
  for (const graph::TensorType& type : graph::checked_types(graph))
    if (elements(type.shape) > 4096 || type.dtype != graph::Dtype::kFloat32) return;
  if (std::ranges::any_of(graph.nodes, is_slow)) return;
  std::vector<runtime::Array> inputs;
  for (const graph::Input& input : graph.inputs) {
    runtime::Array x{graph::sizes_at(input.type.shape, {1, 1}), {}};
    x.values.resize(static_cast<std::size_t>(elements(input.type.shape)), 0.5f);
    inputs.push_back(std::move(x));
  }
  runtime::Interpreter interpreter(graph);
  expect(interpreter.run(inputs).size() == graph.outputs.size(), "interpreter: number of outputs");
}

/// Saved as it is, with the sums that it must have.
void read_package(const std::string& graph_text, const std::string& tensors) {
  const std::filesystem::path package = folder() / "net.samebits";
  std::filesystem::create_directories(package);
  write(package / "graph.json", graph_text);
  write(package / "codes.safetensors", tensors);
  write(package / "SHA256SUMS",
        io::sha256(tensors) + "  codes.safetensors\n" + io::sha256(graph_text) + "  graph.json\n");
  const graph::Graph graph = graph::load_package(package);
  graph::save_package(graph, package);
  const graph::Graph again = graph::load_package(package);
  expect(graph::to_text(again).json == graph::to_text(graph).json, "package: another graph when saved again");
  run(graph);
}

/// The first byte chooses the reader. A package is graph.json, a byte 0, and codes.safetensors.
void fuzz(std::string input) {
  if (input.empty()) return;
  const char reader = input[0];
  input.erase(0, 1);
  if (reader == 'g') {
    io::SafetensorsFile none;
    (void)graph::graph_of(io::parse_json(input), none);
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
