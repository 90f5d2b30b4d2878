// The keys of a layer's scheme and of QConfig (fields.h). Keys that a scheme does not use (group_size without
// groups, averaging without moving_average) are refused when read and left out when written.
#pragma once

#include "torch_ext/config/fields.h"
#include "torch_ext/config/qconfig.h"

namespace samebits {

inline const Names<Granularity> kGranularities = {{Granularity::kPerTensor, "per_tensor"},
                                                  {Granularity::kPerChannel, "per_channel"},
                                                  {Granularity::kPerGroup, "per_group"}};
inline const Names<ObserverKind> kObservers = {{ObserverKind::kMinMax, "min_max"},
                                               {ObserverKind::kMovingAverage, "moving_average"},
                                               {ObserverKind::kPercentile, "percentile"},
                                               {ObserverKind::kLeastError, "mse"},
                                               {ObserverKind::kKl, "kl"}};
inline const Names<EstimatorKind> kEstimators = [] {
  Names<EstimatorKind> names;
  for (const EstimatorKind kind : {EstimatorKind::kSte, EstimatorKind::kLsq, EstimatorKind::kLsqPlus,
                                   EstimatorKind::kPact, EstimatorKind::kDorefa, EstimatorKind::kEwgs})
    names.emplace_back(kind, estimator_name(kind));
  return names;
}();
inline const Names<BackwardMode> kBackwardModes = {
    {BackwardMode::kFloat32, "f32"}, {BackwardMode::kBfloat16, "bf16"}, {BackwardMode::kInt8, "int8"}};

inline constexpr char kBits[] = "bits", kGranularity[] = "granularity", kGroupSize[] = "group_size",
                      kSymmetric[] = "symmetric";

/// group_size alone implies per_group; per_group alone keeps an inherited group size.
template <class Visitor>
void settle_groups(Visitor& visitor, WeightConfig& weight, bool names_size) {
  const bool is_grouped = weight.granularity == Granularity::kPerGroup;
  if (visitor.names(kGranularity)) {
    if (!is_grouped && names_size)
      visitor.fail_at(kGranularity, "per_group beside group_size", "remove one of the two");
    if (!is_grouped) weight.group_size = 0;
    if (is_grouped && !names_size && weight.group_size == 0)
      visitor.fail_at(kGranularity, "a group_size beside per_group", "add group_size: 32, 64 or 128");
  }
  if (names_size) weight.granularity = Granularity::kPerGroup;
}

template <class Visitor, class Weight>
void visit_weight(Visitor& visitor, Weight& weight) {
  visitor.integer(kBits, weight.bits, between(2, 8), "");
  const bool names_size = visitor.names(kGroupSize);
  visitor.choice(kGranularity, weight.granularity, kGranularities, "what shares a scale");
  if constexpr (kReads<Visitor>) settle_groups(visitor, weight, names_size);
  visitor.when(weight.granularity == Granularity::kPerGroup, "without groups", "", [&](auto& grouped) {
    grouped.member(kGroupSize, weight.group_size, {"32", "64", "128"},
                   "inputs that share a scale; implies `per_group`, and `per_group` needs it");
  });
  visitor.flag(kSymmetric, weight.symmetric,
               "the zero point is 0; required for 8 bits (use 7 bits for asymmetric weights)");
}

/// Inherited fields agree with each other, so the map that made these disagree names at least one of the two.
template <class Visitor>
void check_weight(Visitor& visitor, const WeightConfig& weight) {
  if (weight.bits != 8 || weight.symmetric) return;
  if (visitor.names(kSymmetric))
    visitor.fail_at(kSymmetric, "true for 8-bit weights", "use 7 bits or symmetric: true");
  visitor.fail_at(kBits, "an integer in 2..7 for asymmetric weights", "use 7 bits or symmetric: true");
}

template <class Visitor, class Activation>
void visit_activation(Visitor& visitor, Activation& activation) {
  visitor.integer(kBits, activation.bits, between(2, 8), "");
  visitor.constant(kGranularity, "per_tensor", "an activation has one scale");
  visitor.choice(
      "observer", activation.observer, kObservers,
      "the range: of all batches, or an average that follows the newest; or of the histogram of what "
      "was observed, without the values beyond a percentile, with the least squared error or the "
      "least divergence");
  const std::string observer = "with observer " + name_of(kObservers, activation.observer);
  visitor.when(activation.observer == ObserverKind::kMovingAverage, observer, "only with `moving_average`",
               [&](auto& average) {
                 average.number("averaging", activation.averaging, NumberRange{kAboveZero, 1},
                                "weight of the newest batch");
               });
  visitor.when(activation.observer == ObserverKind::kPercentile, observer, "only with `percentile`",
               [&](auto& percentile) {
                 percentile.number("percentile", activation.percentile, NumberRange{0.5, 1},
                                   "part of the values that is not above the range, and not below");
               });
  visitor.flag(kSymmetric, activation.symmetric, "the zero point is 0");
}

template <class Visitor, class Layer>
void visit_layer(Visitor& visitor, Layer& layer) {
  visitor.map(
      "weight", {.title = "### `qat.weight`", .is_flow = true},
      [&](auto& weight) { visit_weight(weight, layer.weight); },
      [&](auto& weight) { check_weight(weight, layer.weight); });
  visitor.map("activation", {.title = "### `qat.activation`", .is_flow = true},
              [&](auto& activation) { visit_activation(activation, layer.activation); });
  visitor.choice(
      "backward", layer.backward, kBackwardModes,
      "arithmetic of backward's matrix products; the forward and what ships do not depend on it. `bf16`: "
      "codes "
      "exact, the gradient rounded to bfloat16. `int8`: experimental ([performance.md](../performance.md))");
  visitor.choice("estimator", layer.estimator, kEstimators,
                 "how gradients pass the quantizers, and what of the grids is trained ([methods]"
                 "(../guides/methods.md))");
  visitor.when(layer.estimator == EstimatorKind::kEwgs,
               "with estimator " + std::string(estimator_name(layer.estimator)), "only with `ewgs`",
               [&](auto& ewgs) {
                 ewgs.number("ewgs_delta", layer.ewgs_delta, NumberRange{0, 1},
                             "how much a gradient grows or shrinks with the rounding error");
               });
  visitor.flag("skip", layer.skip, "leave all layers in float, except those that `layers` quantizes");
}

template <class Visitor, class Config>
void visit_qconfig(Visitor& visitor, Config& config) {
  visit_layer(visitor, config.defaults);
  visitor.integer("embedding_bits", config.embedding_bits, between(0, 8),
                  "of the rows of embeddings, 2..8, from the first QAT epoch on; 0 leaves them in float");
  visitor.entries(
      "layers", config.layers, config.defaults, [](auto& inner, auto& layer) { visit_layer(inner, layer); },
      "exceptions by layer, below");
}

}  // namespace samebits
