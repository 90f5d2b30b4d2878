// What a user decides about quantization: bits, granularity, observers, and exceptions by layer name. Plain
// data; prepare() applies it. Torch-free.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "csrc/layers/backward_mode.h"

namespace samebits {

enum class Granularity { kPerTensor, kPerChannel, kPerGroup };
/// What an activation's range is made of. The last three look at the histogram of all that was observed, and
/// keep their range from then on.
enum class ObserverKind { kMinMax, kMovingAverage, kPercentile, kLeastError, kKl };
constexpr bool uses_histogram(ObserverKind kind) {
  return kind != ObserverKind::kMinMax && kind != ObserverKind::kMovingAverage;
}

/// How gradients pass a layer's quantizers, and what of their grids is trained:
/// torch_ext/quantizer/estimators.
enum class EstimatorKind { kSte, kLsq, kLsqPlus, kPact, kDorefa, kEwgs };
/// "ste", "lsq", "lsq_plus", …: as in YAML.
const char* estimator_name(EstimatorKind kind);

/// The grid family of one tensor.
struct QScheme {
  int bits = 8;  // 2..8
  Granularity granularity = Granularity::kPerTensor;
  std::int64_t group_size = 0;  // kPerGroup: 32, 64 or 128; else 0
  bool symmetric = false;       // zero_point 0

  /// The range of codes. Symmetric 8-bit weights are narrow, [-127, 127]; all else [-2^(bits-1), 2^(bits-1) -
  /// 1].
  std::int32_t weight_qmin() const { return symmetric && bits == 8 ? -127 : activation_qmin(); }
  std::int32_t activation_qmin() const { return -(1 << (bits - 1)); }
  std::int32_t qmax() const { return (1 << (bits - 1)) - 1; }
  friend bool operator==(const QScheme&, const QScheme&) = default;
};

struct WeightConfig : QScheme {
  WeightConfig() : QScheme{.bits = 8, .granularity = Granularity::kPerChannel, .symmetric = true} {}
  friend bool operator==(const WeightConfig&, const WeightConfig&) = default;
};

struct ActivationConfig : QScheme {  // always per tensor
  ObserverKind observer = ObserverKind::kMovingAverage;
  double averaging = 0.01;     // moving_average: weight of the newest batch, in (0, 1]
  double percentile = 0.9999;  // percentile: the part of the values that is not above, in [0.5, 1]
  friend bool operator==(const ActivationConfig&, const ActivationConfig&) = default;
};

/// How one layer is quantized.
struct LayerConfig {
  WeightConfig weight;
  ActivationConfig activation;
  BackwardMode backward = BackwardMode::kFloat32;
  EstimatorKind estimator = EstimatorKind::kSte;
  double ewgs_delta = 0.2;  // ewgs: its delta, for an error in steps of the grid, in [0, 1]
  bool skip = false;        // stays float
  friend bool operator==(const LayerConfig&, const LayerConfig&) = default;
};

/// A whole model's configuration: a default, and exceptions whose glob ('*' any text, '?' one character)
/// matches the layer's path ("features.0", "fc1"). Later exceptions win over earlier ones; each replaces the
/// layer whole.
struct QConfig {
  LayerConfig defaults;
  std::vector<std::pair<std::string, LayerConfig>> layers;
  int embedding_bits = 0;  // of the rows of a graph's embeddings, 2..8, a symmetric grid a row; 0: float

  /// "int8": W8A8 per channel. "int4", "int2": weights per channel and inputs of as many bits. "w4a8": 4-bit
  /// weights in groups of 32 for linear layers, per channel for convolutions (prepare() narrows groups to
  /// channels there). "first_last_8": int4 with int8 ends (config/ends.h). "fp32": nothing is quantized, and
  /// everything ships as it computes. Throws std::invalid_argument that lists the names.
  static QConfig preset(const std::string& name);

  /// The configuration of the layer at `path`.
  const LayerConfig& layer(const std::string& path) const;

  /// Throws std::invalid_argument that names the field
  /// ("[qconfig] weight.bits: expected an integer in 2..8, got 9; for a float layer set skip").
  void check() const;
  friend bool operator==(const QConfig&, const QConfig&) = default;
};

/// "int8 per channel", "int4 groups of 32", "int7 affine".
std::string scheme_text(const QScheme& scheme);
/// "int4 per channel, input int8 affine"; with another estimator than ste ", lsq" behind it.
std::string scheme_text(const LayerConfig& layer);

/// Whether `text` matches `glob`.
bool glob_matches(const std::string& glob, const std::string& text);

}  // namespace samebits
