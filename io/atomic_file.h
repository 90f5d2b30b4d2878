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
void write_file_atomically(const std::filesystem::path& path, std::string_view contents);

}  // namespace samebits::io
