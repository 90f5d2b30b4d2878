// The part of a module's options that says how it is quantized:
// QATLinearOptions(…).weight_bits(4).group_size(32).
#pragma once

#include <optional>

#include "torch_ext/config/qconfig.h"

namespace samebits {

/// `Options` is the deriving class. Calling any of these makes the scheme the module's own: prepare() keeps
/// it.
template <class Options>
class SchemeOptions {
 public:
  /// Bits of weights and input, 2..8.
  Options& bits(int value) {
    own().weight.bits = value;
    own().activation.bits = value;
    return self();
  }
  Options& weight_bits(int value) {
    own().weight.bits = value;
    return self();
  }
  Options& activation_bits(int value) {
    own().activation.bits = value;
    return self();
  }
  /// Weight grids per group of 32, 64 or 128 inputs.
  Options& group_size(std::int64_t value) {
    own().weight.granularity = Granularity::kPerGroup;
    own().weight.group_size = value;
    return self();
  }
  /// How gradients pass the quantizers, and what of the grids is trained.
  Options& estimator(EstimatorKind value) {
    own().estimator = value;
    return self();
  }
  /// Everything at once.
  Options& scheme(const LayerConfig& value) {
    own() = value;
    return self();
  }
  const std::optional<LayerConfig>& own_config() const { return own_config_; }

 private:
  LayerConfig& own() {
    if (!own_config_.has_value()) own_config_.emplace();
    return *own_config_;
  }
  Options& self() { return static_cast<Options&>(*this); }

  std::optional<LayerConfig> own_config_;
};

}  // namespace samebits
