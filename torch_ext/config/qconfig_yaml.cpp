// Keys that a scheme does not use (group_size without groups, averaging without moving_average) are refused
// when read and left out when written.
#include "torch_ext/config/qconfig_yaml.h"

#include <map>

namespace samebits {
namespace {

const std::map<Granularity, std::string> kGranularities = {{Granularity::kPerTensor, "per_tensor"},
                                                           {Granularity::kPerChannel, "per_channel"},
                                                           {Granularity::kPerGroup, "per_group"}};
const std::map<ObserverKind, std::string> kObservers = {{ObserverKind::kMinMax, "min_max"},
                                                        {ObserverKind::kMovingAverage, "moving_average"}};
const std::map<BackwardMode, std::string> kBackwardModes = {
    {BackwardMode::kFloat32, "f32"}, {BackwardMode::kBfloat16, "bf16"}, {BackwardMode::kInt8, "int8"}};

template <typename Enum>
Enum read_enum(const YamlValue& value, const std::map<Enum, std::string>& names) {
  std::vector<std::string> texts;
  for (const auto& [member, name] : names) texts.push_back(name);
  const std::string text = value.choice(texts);
  Enum result{};
  for (const auto& [member, name] : names)
    if (name == text) result = member;
  return result;
}

// group_size alone implies per_group; per_group alone keeps an inherited group size.
void read_granularity(YamlValue& map, WeightConfig& weight) {
  const bool names_size = map.has("group_size");
  if (map.has("granularity")) {
    const YamlValue value = map.at("granularity");
    weight.granularity = read_enum(value, kGranularities);
    const bool is_grouped = weight.granularity == Granularity::kPerGroup;
    if (!is_grouped && names_size) value.fail("per_group beside group_size", "remove one of the two");
    if (!is_grouped) weight.group_size = 0;
    if (is_grouped && !names_size && weight.group_size == 0)
      value.fail("a group_size beside per_group", "add group_size: 32, 64 or 128");
  }
  if (!names_size) return;
  weight.group_size = std::stoll(map.at("group_size").choice({"32", "64", "128"}));
  weight.granularity = Granularity::kPerGroup;
}

void read_weight(YamlValue map, WeightConfig& weight) {
  const bool names_bits = map.has("bits");
  if (names_bits) weight.bits = static_cast<int>(map.at("bits").integer(2, 8));
  read_granularity(map, weight);
  const bool names_symmetric = map.has("symmetric");
  if (names_symmetric) weight.symmetric = map.at("symmetric").boolean();
  map.finish();
  if (weight.bits != 8 || weight.symmetric) return;
  // Inherited fields agree with each other, so this map names at least one of the two.
  if (names_symmetric) map.at("symmetric").fail("true for 8-bit weights", "use 7 bits or symmetric: true");
  map.at("bits").fail("an integer in 2..7 for asymmetric weights", "use 7 bits or symmetric: true");
}

void read_activation(YamlValue map, ActivationConfig& activation) {
  if (map.has("bits")) activation.bits = static_cast<int>(map.at("bits").integer(2, 8));
  if (map.has("granularity") && map.at("granularity").text() != "per_tensor")
    map.at("granularity").fail("per_tensor", "an activation has one scale");
  if (map.has("observer")) activation.observer = read_enum(map.at("observer"), kObservers);
  if (map.has("averaging")) {
    const YamlValue value = map.at("averaging");
    activation.averaging = value.number(kAboveZero, 1);
    if (activation.observer != ObserverKind::kMovingAverage)
      value.fail("no averaging with observer min_max", "remove the key");
  }
  if (map.has("symmetric")) activation.symmetric = map.at("symmetric").boolean();
  map.finish();
}

void read_layer(YamlValue& map, LayerConfig& layer) {
  if (map.has("weight")) read_weight(map.at("weight"), layer.weight);
  if (map.has("activation")) read_activation(map.at("activation"), layer.activation);
  if (map.has("backward")) layer.backward = read_enum(map.at("backward"), kBackwardModes);
  if (map.has("skip")) layer.skip = map.at("skip").boolean();
}

void write_weight(YAML::Emitter& out, const WeightConfig& weight) {
  out << YAML::Key << "weight" << YAML::Value << YAML::Flow << YAML::BeginMap;
  out << YAML::Key << "bits" << YAML::Value << weight.bits;
  out << YAML::Key << "granularity" << YAML::Value << kGranularities.at(weight.granularity);
  if (weight.granularity == Granularity::kPerGroup)
    out << YAML::Key << "group_size" << YAML::Value << weight.group_size;
  out << YAML::Key << "symmetric" << YAML::Value << weight.symmetric << YAML::EndMap;
}

void write_activation(YAML::Emitter& out, const ActivationConfig& activation) {
  out << YAML::Key << "activation" << YAML::Value << YAML::Flow << YAML::BeginMap;
  out << YAML::Key << "bits" << YAML::Value << activation.bits;
  out << YAML::Key << "observer" << YAML::Value << kObservers.at(activation.observer);
  if (activation.observer == ObserverKind::kMovingAverage)
    out << YAML::Key << "averaging" << YAML::Value << number_text(activation.averaging);
  out << YAML::Key << "symmetric" << YAML::Value << activation.symmetric << YAML::EndMap;
}

void write_layer(YAML::Emitter& out, const LayerConfig& layer) {
  write_weight(out, layer.weight);
  write_activation(out, layer.activation);
  out << YAML::Key << "backward" << YAML::Value << kBackwardModes.at(layer.backward);
  out << YAML::Key << "skip" << YAML::Value << layer.skip;
}

}  // namespace

QConfig read_qconfig(YamlValue map) {
  QConfig config;
  read_layer(map, config.defaults);
  if (!map.has("layers")) return config;
  YamlValue layers = map.at("layers");
  for (const std::string& glob : layers.keys()) {
    YamlValue exception = layers.at(glob);
    if (glob.empty()) exception.fail("a layer path or a glob as the key");
    LayerConfig layer = config.defaults;
    read_layer(exception, layer);
    exception.finish();
    config.layers.emplace_back(glob, layer);
  }
  return config;
}

void write_qconfig(YAML::Emitter& out, const QConfig& config) {
  write_layer(out, config.defaults);
  out << YAML::Key << "layers" << YAML::Value;
  if (config.layers.empty()) out << YAML::Flow;
  out << YAML::BeginMap;
  for (const auto& [glob, layer] : config.layers) {
    out << YAML::Key << glob << YAML::Value << YAML::BeginMap;
    write_layer(out, layer);
    out << YAML::EndMap;
  }
  out << YAML::EndMap;
}

}  // namespace samebits
