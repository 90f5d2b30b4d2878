// Messages of the executable, on stderr; results go to stdout. A file of its own because LibTorch brings
// another fmt than the one spdlog was built with: no file sees both.
#pragma once

#include <string>

namespace samebits::training {

void log_info(const std::string& message);

}  // namespace samebits::training
