// Reads and writes GGUF files of version 3, llama.cpp's: metadata, then tensors whose data begin at
// multiples of 32 bytes. The bytes of a file depend on nothing but its contents. Format:
// the page "gguf" of ggml (github.com/ggml-org/ggml).
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace samebits::io {

/// Types of tensors: their numbers in a file.
enum class GgufType : std::uint32_t { kF32 = 0, kF16 = 1, kQ4_0 = 2, kQ4_1 = 3, kQ8_0 = 8 };
/// "F32", "F16", "Q4_0", "Q4_1" or "Q8_0".
const char* to_text(GgufType type);

/// One tensor, row-major. Of a quantized type rows are whole blocks of 32 elements.
struct GgufTensor {
  GgufType type = GgufType::kF32;
  std::vector<std::int64_t> shape;  // at most 4 sizes; the last one's elements are neighbours
  std::vector<std::uint8_t> bytes;
};

struct GgufFile {
  std::map<std::string, std::string> texts;      // metadata that are texts
  std::map<std::string, std::uint32_t> numbers;  // and those that are uint32; of other types none is kept
  std::map<std::string, GgufTensor> tensors;
};

/// Names of tensors are shorter than this.
constexpr std::size_t kGgufMaxName = 64;

/// The bytes of a file that holds `file`. Throws std::runtime_error that names `path` for a tensor
/// whose bytes contradict its type and shape, or whose name is too long.
std::string gguf_bytes(const GgufFile& file, const std::filesystem::path& path);

/// Whole or not at all, as write_file_atomically().
void write_gguf(const std::filesystem::path& path, const GgufFile& file);

/// Throws std::runtime_error that names the path and what is wrong: missing, truncated, another version, a
/// type of tensor that is none of the above, sizes that contradict the file's, tensors that overlap
/// or leave gaps, a name twice.
GgufFile read_gguf(const std::filesystem::path& path);

/// The same of a file's bytes; `path` is for messages.
GgufFile parse_gguf(std::string_view bytes, const std::filesystem::path& path);

}  // namespace samebits::io
