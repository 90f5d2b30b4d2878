// Fuzzes what reads the files of export/: npz, npy, GGUF, and the models in them, which are written
// again, to every format that takes them, when they load. Wrong files must end in std::runtime_error
// and in nothing else.
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "export/arrays/plain_arrays.h"
#include "export/compressed_tensors/export_compressed_tensors.h"
#include "export/formats.h"
#include "io/gguf.h"
#include "io/npy.h"
#include "io/npz.h"
#include "io/safetensors.h"
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

/// What a model becomes in each format that takes it must be the model when it is read back.
void write_everywhere(const graph::Graph& graph) {
  for (const ExportFormat& format : export_formats()) {
    const std::filesystem::path path = folder() / ("again" + std::string(format.extension));
    try {
      format.save(graph, path);
    } catch (const std::runtime_error&) {
      continue;  // it cannot hold it
    }
    if (format.load != nullptr)
      expect(format.load(path) == graph, std::string(format.name) + ": another graph when read back");
  }
}

void read_npz(const std::string& text) {
  const io::NpzFile file = io::parse_npz(text, "x.npz");
  const std::string bytes = io::npz_bytes(file, "x.npz");
  expect(io::npz_bytes(io::parse_npz(bytes, "x.npz"), "x.npz") == bytes,
         "npz: another file when written again");
}

void read_npy(const std::string& text) {
  const io::NpyArray array = io::parse_npy(text, "x");
  const io::NpyArray again = io::parse_npy(io::npy_bytes(array, "x"), "x");
  expect(again.shape == array.shape && again.bytes == array.bytes, "npy: another array when written again");
}

void read_gguf(const std::string& text) {
  const io::GgufFile file = io::parse_gguf(text, "x.gguf");
  const std::string bytes = io::gguf_bytes(file, "x.gguf");
  expect(io::gguf_bytes(io::parse_gguf(bytes, "x.gguf"), "x.gguf") == bytes,
         "gguf: another file when written again");
}

/// A model's file as it is.
void load(const char* name, const std::string& text) {
  const std::filesystem::path path = folder() / name;
  std::filesystem::create_directories(path.parent_path());
  std::ofstream(path, std::ios::binary) << text;
  const bool is_folder = path.filename() == "model.safetensors";
  write_everywhere(load_exported(is_folder ? path.parent_path() : path));
}

/// A graph, a byte 0, and its arrays, as safetensors: without the sums that an npz file has of them.
void load_plain(const std::string& text) {
  const std::size_t end = std::min(text.find('\0'), text.size());
  io::SafetensorsFile arrays = io::parse_safetensors(end < text.size() ? text.substr(end + 1) : "", "x.npz");
  write_everywhere(graph_of({text.substr(0, end), std::move(arrays)}, "x.npz"));
}

/// The first byte chooses the reader.
void fuzz(std::string input) {
  if (input.empty()) return;
  const char reader = input[0];
  input.erase(0, 1);
  if (reader == 'n') read_npz(input);
  if (reader == 'y') read_npy(input);
  if (reader == 'u') read_gguf(input);
  if (reader == 'g') load("model.gguf", input);
  if (reader == 's') load("model.safetensors", input);
  if (reader == 'c') load("model.compressed/model.safetensors", input);
  if (reader == 'p') load_plain(input);
}

}  // namespace
}  // namespace samebits::fuzz

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    samebits::fuzz::fuzz(std::string(reinterpret_cast<const char*>(data), size));
  } catch (const std::runtime_error&) {
    // The answer to a file that is not as docs/reference/ says.
  }
  return 0;
}
