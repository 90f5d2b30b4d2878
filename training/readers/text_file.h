// Texts whose bytes are tokens.
#pragma once

#include <filesystem>
#include <string>

namespace samebits::training {

/// The bytes of a UTF-8 text, gzipped or plain. Throws UsageError "[data] PATH: expected UTF-8, got …" that
/// names the first byte which is none, so that no binary file is learned by mistake.
std::string read_text(const std::filesystem::path& path);

}  // namespace samebits::training
