#include "training/plan/hardware_profiles.h"

#include <algorithm>
#include <filesystem>
#include <utility>

#include "torch_ext/config/field_reader.h"
#include "training/errors.h"
#include "training/plan/built_in_profiles.h"

namespace samebits::training {
namespace {

constexpr double kMostGigaOps = 1e9;

/// The keys of a profile (torch_ext/config/fields.h).
template <class Visitor, class Profile>
void visit_profile(Visitor& visitor, Profile& profile) {
  visitor.text("device", profile.device, "the part that the figures are of");
  visitor.number("bandwidth_gb_s", profile.bandwidth_gb_s, {kAboveZero, 1e6}, "of main memory");
  visitor.number("cache_mib", profile.cache_mib, {0, 1e6}, "the last level");
  visitor.number("memory_gib", profile.memory_gib, {kAboveZero, 1e6}, "main memory, or a GPU's own");
  visitor.integer("channel_multiple", profile.channel_multiple, between(1, 1024),
                  "channels that leave no lane idle");
  visitor.map("peaks", {}, [&](auto& peaks) {
    const NumberRange range{kAboveZero, kMostGigaOps};
    peaks.number("fp32", profile.peaks.fp32, range, "10^9 operations a second");
    peaks.number("fp16", profile.peaks.fp16, range, "the same");
    peaks.number("int8", profile.peaks.int8, range, "the same");
    peaks.number("int4", profile.peaks.int4, range, "the same");
  });
}

std::vector<std::int64_t> read_widths(YamlValue map) {
  std::vector<std::int64_t> widths;
  for (const YamlValue& item : map.at("weight_bits").items()) widths.push_back(item.integer(2, 32));
  std::sort(widths.begin(), widths.end());
  if (widths.empty()) map.at("weight_bits").fail("at least one width", "add 8");
  return widths;
}

planner::HardwareProfile read_profile(YamlValue map, const std::string& name) {
  planner::HardwareProfile profile;
  profile.name = name;
  for (const char* key : {"device", "bandwidth_gb_s", "memory_gib", "peaks"}) map.at(key);
  profile.weight_bits = read_widths(map);
  FieldReader reader(map);
  visit_profile(reader, profile);
  reader.finish();
  return profile;
}

}  // namespace

std::vector<std::string> hardware_names() {
  std::vector<std::string> names;
  for (const auto& [name, text] : kBuiltInProfiles) names.emplace_back(name);
  return names;
}

planner::HardwareProfile load_hardware(const std::string& name_or_file) {
  for (const auto& [name, text] : kBuiltInProfiles)
    if (name == name_or_file) return read_profile(YamlValue::parse(text, std::string(name) + ".yaml"), name);
  if (name_or_file.ends_with(".yaml"))
    return read_profile(YamlValue::load(name_or_file), std::filesystem::path(name_or_file).stem().string());
  const std::string nearest = nearest_name(name_or_file, hardware_names());
  throw UsageError("[plan] --hardware: expected " + alternatives(hardware_names()) +
                   " or a file *.yaml, got \"" + name_or_file + "\"" +
                   (nearest.empty() ? "" : "; did you mean \"" + nearest + "\"?"));
}

}  // namespace samebits::training
