// The bytes of a data file, gzipped or plain, from the first to the last. zlib's own gzread() may end before
// it has seen the checksum, so the stream is inflated here.
#pragma once

#include <zlib.h>

#include <array>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>

namespace samebits::training {

class PackedFile {
 public:
  /// Opens a regular file. `kind` and `way_out` are for the message about one that is not there: "an IDX
  /// file".
  PackedFile(const std::filesystem::path& path, const std::string& kind, const std::string& way_out);
  ~PackedFile();
  PackedFile(const PackedFile&) = delete;
  PackedFile& operator=(const PackedFile&) = delete;

  /// Fills `bytes` as far as the file goes; returns how many there were. Throws when it cannot be read, when
  /// the gzip stream is damaged and when something else stands behind it.
  std::size_t read(std::span<std::uint8_t> bytes);

  /// Whether the gzip stream, if it is one, has ended as it should: its checksum was there and right.
  bool is_whole() const { return !is_gzip_ || has_ended_; }

  const std::filesystem::path& path() const { return path_; }

 private:
  bool refill();
  std::size_t inflate_into(std::span<std::uint8_t> bytes);
  void start_next_member();

  std::filesystem::path path_;
  int descriptor_ = -1;
  bool is_gzip_ = false, has_ended_ = false;
  z_stream stream_{};  // its input is what of buffer_ is not used yet, of a plain file too
  std::array<std::uint8_t, 1 << 16> buffer_;
};

/// All bytes of a file of at most 16 GiB, which is there and whole. `kind`: "a CSV file".
std::string read_packed(const std::filesystem::path& path, const std::string& kind);

}  // namespace samebits::training
