// The rules that every configuration obeys, whether it comes from YAML or from C++.
#include "torch_ext/config/qconfig.h"

#include <set>
#include <stdexcept>

#include "torch_ext/config/ends.h"

namespace samebits {
namespace {

[[noreturn]] void fail(const std::string& field, const std::string& message) {
  throw std::invalid_argument("[qconfig] " + field + ": " + message);
}

void check_bits(const QScheme& scheme, const std::string& field) {
  if (scheme.bits < 2 || scheme.bits > 8)
    fail(field + ".bits",
         "expected an integer in 2..8, got " + std::to_string(scheme.bits) + "; for a float layer set skip");
}

void check_weight(const WeightConfig& weight, const std::string& field) {
  check_bits(weight, field);
  const std::int64_t size = weight.group_size;
  const bool is_grouped = weight.granularity == Granularity::kPerGroup;
  if (is_grouped && size != 32 && size != 64 && size != 128)
    fail(field + ".group_size", "expected 32, 64 or 128, got " + std::to_string(size));
  if (!is_grouped && size != 0)
    fail(field + ".group_size",
         "expected 0, got " + std::to_string(size) + "; only granularity per_group has groups");
  if (weight.bits == 8 && !weight.symmetric)
    fail(field + ".symmetric", "expected true for 8-bit weights, got false; use 7 bits or symmetric: true");
}

void check_activation(const ActivationConfig& activation, const std::string& field) {
  check_bits(activation, field);
  if (activation.granularity != Granularity::kPerTensor)
    fail(field + ".granularity",
         "expected per_tensor, got " +
             std::string(activation.granularity == Granularity::kPerChannel ? "per_channel" : "per_group") +
             "; an activation has one scale");
  if (activation.group_size != 0)
    fail(field + ".group_size",
         "expected 0, got " + std::to_string(activation.group_size) + "; an activation has one scale");
  if (!(activation.averaging > 0 && activation.averaging <= 1))
    fail(field + ".averaging", "expected a number > 0 and <= 1, got " + std::to_string(activation.averaging));
  if (!(activation.percentile >= 0.5 && activation.percentile <= 1))
    fail(field + ".percentile", "expected a number in 0.5..1, got " + std::to_string(activation.percentile));
}

void check_layer(const LayerConfig& layer, const std::string& prefix) {
  check_weight(layer.weight, prefix + "weight");
  check_activation(layer.activation, prefix + "activation");
  if (!(layer.ewgs_delta >= 0 && layer.ewgs_delta <= 1))
    fail(prefix + "ewgs_delta", "expected a number in 0..1, got " + std::to_string(layer.ewgs_delta));
}

}  // namespace

const char* estimator_name(EstimatorKind kind) {
  constexpr const char* kNames[] = {"ste", "lsq", "lsq_plus", "pact", "dorefa", "ewgs"};
  return kNames[static_cast<int>(kind)];
}

QConfig QConfig::preset(const std::string& name) {
  QConfig config;
  WeightConfig& weight = config.defaults.weight;
  if (name == "int8") return config;
  if (name == "fp32") {
    config.defaults.skip = true;
  } else if (name == "w4a8") {
    weight.bits = 4;
    weight.granularity = Granularity::kPerGroup;
    weight.group_size = 32;
  } else if (name == "int4" || name == "int2" || name == "first_last_8") {
    if (name == "first_last_8") config.layers.emplace_back(kEnds, config.defaults);
    weight.bits = config.defaults.activation.bits = name == "int2" ? 2 : 4;
  } else {
    fail("preset", "expected int8, int4, int2, w4a8, first_last_8 or fp32, got \"" + name + "\"");
  }
  return config;
}

const LayerConfig& QConfig::layer(const std::string& path) const {
  for (auto exception = layers.rbegin(); exception != layers.rend(); ++exception)
    if (glob_matches(exception->first, path)) return exception->second;
  return defaults;
}

void QConfig::check() const {
  check_layer(defaults, "");
  if (embedding_bits != 0 && (embedding_bits < 2 || embedding_bits > 8))
    fail("embedding_bits",
         "expected an integer in 2..8, or 0 for rows of floats, got " + std::to_string(embedding_bits));
  std::set<std::string> globs;
  for (const auto& [glob, layer] : layers) {
    const std::string field = "layers.\"" + glob + "\"";
    if (glob.empty()) fail(field, "expected a layer path or a glob, got an empty text");
    if (!globs.insert(glob).second) fail(field, "expected each glob once, got it twice; keep one of them");
    check_layer(layer, field + ".");
  }
}

bool glob_matches(const std::string& glob, const std::string& text) {
  std::size_t g = 0, t = 0;
  std::size_t after_star = std::string::npos, star_end = 0;  // the last '*' stands for text up to star_end
  while (t < text.size()) {
    const bool is_star = g < glob.size() && glob[g] == '*';
    if (is_star) {
      after_star = ++g;
      star_end = t;
    } else if (g < glob.size() && (glob[g] == '?' || glob[g] == text[t])) {
      ++g;
      ++t;
    } else if (after_star != std::string::npos) {
      g = after_star;  // the last '*' takes one character more; earlier ones need not
      t = ++star_end;
    } else {
      return false;
    }
  }
  while (g < glob.size() && glob[g] == '*') ++g;
  return g == glob.size();
}

std::string scheme_text(const QScheme& scheme) {
  std::string text = "int" + std::to_string(scheme.bits) + (scheme.symmetric ? "" : " affine");
  if (scheme.granularity == Granularity::kPerChannel) text += " per channel";
  if (scheme.granularity == Granularity::kPerGroup) text += " groups of " + std::to_string(scheme.group_size);
  return text;
}

std::string scheme_text(const LayerConfig& layer) {
  const std::string grids = scheme_text(layer.weight) + ", input " + scheme_text(layer.activation);
  if (layer.estimator == EstimatorKind::kSte) return grids;
  return grids + ", " + estimator_name(layer.estimator);
}

}  // namespace samebits
