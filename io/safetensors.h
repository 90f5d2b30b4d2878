// Reads and writes safetensors files: u64 little-endian header length, JSON header, data without gaps.
// The bytes of a file depend on nothing but its contents. Format: huggingface.co/docs/safetensors.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace samebits::io {

/// One tensor: `dtype` is a safetensors name (F64, F32, F16, BF16, I64, I32, I16, I8, U8, BOOL); `bytes` are
/// little-endian, row-major, as many as dtype and shape say.
struct TensorData {
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::vector<std::uint8_t> bytes;
};

struct SafetensorsFile {
  std::map<std::string, TensorData> tensors;    // by name, in name order
  std::map<std::string, std::string> metadata;  // free text
};

/// The bytes of a file that holds `file`; the same ones as from the Python package. Throws std::runtime_error
/// that names `path` when a tensor's bytes contradict its dtype and shape. Writes nothing.
std::string safetensors_bytes(const SafetensorsFile& file, const std::filesystem::path& path);

/// Writes to a temporary file beside `path`, syncs it and renames it: on any error (full disk, read-only
/// folder) WriteError names the path and the cause, and what stood at `path` stands there still.
void write_safetensors(const std::filesystem::path& path, const SafetensorsFile& file);

/// Throws std::runtime_error that names the path and what is wrong: missing, truncated, header not JSON,
/// not a regular file, a header of more than 16 MiB, unknown dtype, offsets that overlap or leave gaps, sizes
/// that contradict the shape.
SafetensorsFile read_safetensors(const std::filesystem::path& path);

/// The same of a file's bytes; `path` is for messages.
SafetensorsFile parse_safetensors(std::string_view bytes, const std::filesystem::path& path);

}  // namespace samebits::io
