// A layer's scheme at another number of bits, and a configuration of layers that have their own.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "torch_ext/config/qconfig.h"

namespace samebits {

/// `config` with weights of `bits`: below 9 on integers, 8 symmetric as they must be; else float, skip.
inline LayerConfig at_bits(LayerConfig config, int bits) {
  config.skip = bits > 8;
  if (config.skip) return config;
  config.weight.bits = bits;
  if (bits == 8) config.weight.symmetric = true;
  return config;
}

/// `config` with every layer's grids following ranges: for what is quantized and not trained.
inline QConfig straight_through(QConfig config) {
  config.defaults.estimator = EstimatorKind::kSte;
  for (auto& [path, layer] : config.layers) layer.estimator = EstimatorKind::kSte;
  return config;
}

/// `config` with an entry for each of `paths`: its scheme there at the bits of the same index. Entries for
/// other layers stay before them.
inline QConfig with_bits(QConfig config, const std::vector<std::string>& paths,
                         const std::vector<int>& bits) {
  const QConfig before = config;
  std::erase_if(config.layers, [&](const auto& entry) {
    return std::find(paths.begin(), paths.end(), entry.first) != paths.end();
  });
  for (std::size_t i = 0; i < paths.size(); ++i)
    config.layers.emplace_back(paths[i], at_bits(before.layer(paths[i]), bits[i]));
  return config;
}

}  // namespace samebits
