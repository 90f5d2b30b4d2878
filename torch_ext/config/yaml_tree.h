// The tree behind YamlValue: what yaml-cpp's own drops, and messages need. Where every key and value stands,
// duplicate keys, quotes, and which keys were asked for.
#pragma once

#include <yaml-cpp/mark.h>

#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "torch_ext/config/yaml_reader.h"

namespace samebits {

struct YamlValue::Node {
  enum class Kind { kNull, kScalar, kList, kMap };
  Kind kind = Kind::kNull;
  std::shared_ptr<const YamlSource> source;
  YAML::Mark mark;      // where the value starts
  YAML::Mark key_mark;  // in a map: where its key starts
  std::string path;
  std::string text;  // of a scalar
  bool quoted = false;
  std::vector<std::pair<std::string, std::shared_ptr<Node>>> children;  // of a list: with empty keys
  std::unordered_map<std::string, std::size_t> places;  // of a map: where each key first stands in `children`
  std::vector<std::string> known;                       // of a map: what has() and at() named, in that order
  std::unordered_set<std::string> known_set;

  /// Returns false, and leaves the place of the first, when the key is there already.
  bool add(const std::string& key, std::shared_ptr<Node> value) {
    children.emplace_back(key, std::move(value));
    return places.try_emplace(key, children.size() - 1).second;
  }
  std::shared_ptr<Node> child(const std::string& key) const {
    const auto found = places.find(key);
    return found == places.end() ? nullptr : children[found->second].second;
  }
  void know(const std::string& key) {
    if (known_set.insert(key).second) known.push_back(key);
  }
};

/// Parses one document whose root has the key path `path`. An empty text gives a null node. Throws
/// ConfigError.
std::shared_ptr<YamlValue::Node> build_yaml_tree(const std::string& text,
                                                 const std::shared_ptr<const YamlSource>& source,
                                                 const std::string& path);

/// Throws "[config] FILE:LINE: PATH: message" with the line and a caret; a source without lines shows
/// neither.
[[noreturn]] void throw_config_error(const YamlSource& source, const YAML::Mark& mark,
                                     const std::string& path, const std::string& message);

/// What a message calls a value: 9, true, "eight", "9" (quoted by the user), a map.
std::string describe(const YamlValue::Node& node);

/// The number that a plain scalar spells, YAML's .nan and .inf included.
std::optional<double> parse_yaml_number(std::string text);

}  // namespace samebits
