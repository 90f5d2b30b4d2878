// Whole files or none: every file that the project writes for keeps goes through here.
#pragma once

#include <filesystem>
#include <string_view>

namespace samebits::runtime {

/// Writes `contents` to a temporary file in the folder of `path`, fsyncs it, renames it to `path` and fsyncs
/// the folder. On any error std::runtime_error says "[write] PATH: cause" ("No space left on device", …), the
/// temporary file is removed and `path` stays as it was; only when the folder alone cannot be synced is the
/// new file there.
void write_file_atomically(const std::filesystem::path& path, std::string_view contents);

}  // namespace samebits::runtime
