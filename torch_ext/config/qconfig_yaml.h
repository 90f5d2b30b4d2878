// QConfig as YAML: the keys `weight`, `activation`, `backward`, `skip` and `layers` of a `qat:` map.
// docs/reference/configuration.md lists them.
#pragma once

#include <yaml-cpp/emitter.h>

#include "torch_ext/config/qconfig.h"
#include "torch_ext/config/yaml_reader.h"

namespace samebits {

/// Reads the keys weight, activation, backward, skip and layers of `map`, all optional; what is not named
/// keeps its default, and a layer inherits from the map's own. Leaves the other keys of `map` and its
/// finish() to the caller. The result passes QConfig::check(). Throws ConfigError.
QConfig read_qconfig(YamlValue map);

/// Writes the same keys into the open map of `out`, such that read_qconfig() gives an equal QConfig.
void write_qconfig(YAML::Emitter& out, const QConfig& config);

}  // namespace samebits
