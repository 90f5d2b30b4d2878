#include "training/log.h"

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

#include "training/report/text.h"

namespace samebits::training {

void log_info(const std::string& message) {
  static const auto logger = [] {
    auto made = spdlog::stderr_color_mt("samebits");
    made->set_pattern("%v");
    return made;
  }();
  logger->info(printable_text(message));
}

}  // namespace samebits::training
