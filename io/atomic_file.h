// Whole files or none: every file that the project writes for keeps goes through here.
#pragma once

#include <filesystem>
#include <stdexcept>
#include <string_view>

namespace samebits::io {

/// A file or folder could not be written: read-only folder, full disk. The text says "[write] PATH: cause"
/// unless its thrower says more.
struct WriteError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Writes `contents` to a temporary file in the folder of `path`, fsyncs it, renames it to `path` and fsyncs
/// the folder. On any error WriteError says "[write] PATH: cause" ("No space left on device", …), the
/// temporary file is removed and `path` stays as it was; only when the folder alone cannot be synced is the
/// new file there.
///
/// What stands at `path` stays what it is: of a link the file is replaced that it leads to, an earlier file's
/// mode is kept (and its owner, for who may give files away), and pipes, terminals and devices like /dev/null
/// are written to, as is what this process has for its standard output or error. A socket or a block device
/// is refused.
void write_file_atomically(const std::filesystem::path& path, std::string_view contents);

}  // namespace samebits::io
