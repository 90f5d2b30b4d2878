// A folder for a while, in the system's place for such ones.
#pragma once

#include <filesystem>

namespace samebits::io {

/// A new folder that is removed with everything in it at the end. What killed processes of this user left
/// behind goes when the next one is made: a folder belongs to the process that holds a lock on it.
class TemporaryFolder {
 public:
  /// Throws std::filesystem::filesystem_error when there is no such place, and WriteError "[write] PATH:
  /// cause" when no folder can be made there.
  TemporaryFolder();
  ~TemporaryFolder();
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;

  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  int lock_ = -1;
};

}  // namespace samebits::io
