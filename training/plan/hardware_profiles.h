// The hardware profiles that the executable brings with it (planner/profiles/), and those of a user's file.
#pragma once

#include <string>
#include <vector>

#include "planner/hardware_profile.h"

namespace samebits::training {

/// "apple_m1", "nvidia_sm_75", …: in the order of their names.
std::vector<std::string> hardware_names();

/// The profile of that name, or of the YAML file at that path. Throws UsageError or ConfigError.
planner::HardwareProfile load_hardware(const std::string& name_or_file);

}  // namespace samebits::training
