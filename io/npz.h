// Reads and writes npz files, NumPy's archives of arrays: a ZIP file of NAME.npy, stored, not
// compressed. The bytes of a file depend on nothing but its contents. Formats:
// numpy.org/doc/stable/reference/generated/ numpy.lib.format.html, PKWARE APPNOTE.TXT.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace samebits::io {

/// One array: `descr` is NumPy's name of a little-endian type ("<f8", "<f4", "<f2", "<i8", "<i4", "<i2",
/// "|i1", "|u1", "|b1"); `bytes` are row-major, as many as descr and shape say.
struct NpyArray {
  std::string descr;
  std::vector<std::int64_t> shape;
  std::vector<std::uint8_t> bytes;
};

/// By name, without ".npy".
using NpzFile = std::map<std::string, NpyArray>;

/// The bytes of a file that holds `file`; each member is what numpy.save writes. Throws std::runtime_error
/// that names `path` when an array's bytes contradict its type and shape, or beyond what ZIP holds without
/// extensions: 65,535 arrays, 4 GiB.
std::string npz_bytes(const NpzFile& file, const std::filesystem::path& path);

/// Whole or not at all, as write_file_atomically().
void write_npz(const std::filesystem::path& path, const NpzFile& file);

/// What numpy.savez wrote too. Throws std::runtime_error that names the path and what is wrong: missing,
/// truncated, compressed, damaged (CRC-32), members that are no arrays of the types above or in
/// column order, members that overlap, a name twice.
NpzFile read_npz(const std::filesystem::path& path);

/// The same of a file's bytes; `path` is for messages.
NpzFile parse_npz(std::string_view bytes, const std::filesystem::path& path);

}  // namespace samebits::io
