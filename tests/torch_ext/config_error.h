// What a ConfigError says, for tests that compare whole messages.
#pragma once

#include <string>

#include "torch_ext/config/yaml_reader.h"

namespace samebits {

/// what() of the ConfigError that `act` throws; "no error" when it throws none.
template <typename Act>
std::string config_error(const Act& act) {
  try {
    act();
  } catch (const ConfigError& error) {
    return error.what();
  }
  return "no error";
}

}  // namespace samebits
