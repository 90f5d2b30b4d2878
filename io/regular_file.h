// Files that are read whole: regular ones alone, and no more of them than was asked for. A pipe or a device
// in the place of a file would be waited for, or never end.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

namespace samebits::io {

/// An open regular file. Throws std::runtime_error, "[SCOPE] PATH: cause", like its functions. A link is
/// followed.
class RegularFile {
 public:
  RegularFile(const std::filesystem::path& path, const char* scope);
  /// `name` within the folder that `folder` is a descriptor of; `path` is for messages.
  RegularFile(int folder, const char* name, const std::filesystem::path& path, const char* scope);
  ~RegularFile();
  RegularFile(const RegularFile&) = delete;
  RegularFile& operator=(const RegularFile&) = delete;

  /// Bytes that the file had when it was opened.
  std::uint64_t size() const { return size_; }
  /// Bytes [offset, offset + bytes). Throws when the file ends before.
  void read(std::uint64_t offset, std::uint64_t bytes, void* to) const;
  /// All of it. Throws when that is more than `max_bytes`, before memory is taken.
  std::string read_all(std::uint64_t max_bytes) const;

 private:
  void open_status();

  std::filesystem::path path_;
  const char* scope_;
  int fd_;
  std::uint64_t size_ = 0;
};

}  // namespace samebits::io
