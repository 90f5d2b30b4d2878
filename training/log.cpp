#include "training/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace samebits::training {

void log_info(const std::string& message) {
  static const auto logger = [] {
    auto made = spdlog::stderr_color_mt("samebits");
    made->set_pattern("%v");
    return made;
  }();
  logger->info(message);
}

}  // namespace samebits::training
