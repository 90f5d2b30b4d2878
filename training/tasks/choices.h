// Which losses, metrics and data go together. Torch-free: a configuration is checked before anything is read.
#pragma once

#include <string>
#include <vector>

namespace samebits::training {

std::vector<std::string> loss_names();
std::vector<std::string> metric_names();

/// What may be minimized on data of a source ("csv").
std::vector<std::string> losses_of(const std::string& source);

/// What may be reported of a loss, and first what "auto" means.
std::vector<std::string> metrics_of(const std::string& loss);

}  // namespace samebits::training
