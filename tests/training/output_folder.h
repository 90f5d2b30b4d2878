// Where a test writes what another program reads afterwards.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>

namespace samebits::training {

/// A folder named `name` in $SAMEBITS_TEST_FOLDER, where tests/python looks, or else in the system's own for
/// temporary files. Empty at first.
inline std::filesystem::path output_folder(const std::string& name) {
  const char* parent = std::getenv("SAMEBITS_TEST_FOLDER");
  const std::filesystem::path folder =
      parent != nullptr
          ? std::filesystem::path(parent) / name
          : std::filesystem::temp_directory_path() / ("samebits_" + name + "_" + std::to_string(getpid()));
  std::filesystem::remove_all(folder);
  std::filesystem::create_directories(folder);
  return folder;
}

}  // namespace samebits::training
