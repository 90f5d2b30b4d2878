// A program in a process of its own.
#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace samebits::io {

/// The environment of this process, "NAME=value" each, with those of `changes` added or put in the place of
/// their namesakes.
std::vector<std::string> environment_with(const std::vector<std::string>& changes);

/// Runs `arguments[0]`, found on the path, in `folder`, with what it prints in `log`, and waits for it; its
/// exit code, or 128 + the signal that ended it. Throws std::system_error when it cannot be started.
int run_process(std::vector<std::string> arguments, std::vector<std::string> environment,
                const std::filesystem::path& folder, const std::filesystem::path& log);

}  // namespace samebits::io
