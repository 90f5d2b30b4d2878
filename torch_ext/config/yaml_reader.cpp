// Typed reading of the tree, and the words of its errors. yaml_tree.cpp parses.
#include "torch_ext/config/yaml_reader.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <numeric>
#include <optional>
#include <sstream>
#include <system_error>

#include "torch_ext/config/yaml_tree.h"

namespace samebits {
namespace {

using Node = YamlValue::Node;
using Kind = Node::Kind;

// A null has no text to point at: its key has.
const YAML::Mark& shown_mark(const Node& node) {
  return node.kind == Kind::kNull && !node.path.empty() ? node.key_mark : node.mark;
}

std::optional<std::int64_t> parse_integer(std::string text) {
  if (text.starts_with('+')) text.erase(0, 1);
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::vector<std::string> split_lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (line.ends_with('\r')) line.pop_back();
    lines.push_back(line);
  }
  return lines;
}

std::string bounds(double low, double high) {
  const bool has_low = low > -kAnyNumber, has_high = high < kAnyNumber;
  if (has_low && has_high && low != kAboveZero && high != kBelowOne)
    return " in " + number_text(low) + ".." + number_text(high);
  const std::string low_text = low == kAboveZero ? "> 0" : ">= " + number_text(low);
  const std::string high_text = high == kBelowOne ? "< 1" : "<= " + number_text(high);
  return (has_low ? " " + low_text : "") + (has_low && has_high ? " and" : "") +
         (has_high ? " " + high_text : "");
}

std::string bounds(std::int64_t low, std::int64_t high) {
  if (high < kAnyInteger) return " in " + std::to_string(low) + ".." + std::to_string(high);
  return low > -kAnyInteger ? " >= " + std::to_string(low) : "";
}

std::string unquote_hint(const Node& node, bool would_do) {
  return node.quoted && would_do ? "remove the quotes" : "";
}

// The keys before '=' in `a."b.c".d=value`, and the value.
struct Assignment {
  std::vector<std::string> keys;
  std::string value;
};

Assignment split_assignment(const std::string& text, const YamlSource& source) {
  Assignment result;
  std::string key;
  bool is_quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      is_quoted = !is_quoted;
    } else if (!is_quoted && (c == '.' || c == '=')) {
      if (key.empty()) throw_config_error(source, {}, "", "expected KEY.PATH=VALUE, got an empty key");
      result.keys.push_back(key);
      key.clear();
      if (c == '.') continue;
      result.value = text.substr(i + 1);
      return result;
    } else {
      key += c;
    }
  }
  throw_config_error(source, {}, "", "expected KEY.PATH=VALUE, got no \"=\"");
}

// The map at `node`, which becomes one when it is null.
void expect_map_for(Node& node, const YamlSource& assignment) {
  if (node.kind == Kind::kNull) node.kind = Kind::kMap;
  if (node.kind != Kind::kMap)
    throw_config_error(assignment, {}, node.path,
                       "expected a map, got " + describe(node) + "; assign the whole value");
}

[[noreturn]] void throw_unknown_key(const std::string& key, const Node& value,
                                    const std::vector<std::string>& known) {
  const std::string near = nearest_name(key, known);
  const std::string hint =
      near.empty() ? "expected " + alternatives(known) : "did you mean \"" + near + "\"?";
  throw_config_error(*value.source, value.key_mark, value.path, "unknown key; " + hint);
}

std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({substituted, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

namespace {

std::string nearest_within(std::size_t farthest, const std::string& word,
                           const std::vector<std::string>& candidates) {
  std::string nearest;
  std::size_t smallest = farthest + 1;
  for (const std::string& candidate : candidates) {
    const std::size_t distance = edit_distance(word, candidate);
    if (distance < smallest) {
      smallest = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

}  // namespace

std::string nearest_name(const std::string& word, const std::vector<std::string>& candidates) {
  return nearest_within(std::min<std::size_t>(3, word.size() / 2), word, candidates);
}

std::string nearest_name_of_any(const std::string& word, const std::vector<std::string>& candidates) {
  constexpr std::size_t kAnyDistance = std::size_t{1} << 40;
  return nearest_within(kAnyDistance, word, candidates);
}

std::string alternatives(const std::vector<std::string>& names) {
  std::string text;
  for (std::size_t i = 0; i < names.size(); ++i)
    text += (i == 0 ? "" : i + 1 == names.size() ? " or " : ", ") + names[i];
  return text;
}

std::string number_text(double value) {
  std::array<char, 32> buffer{};
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return std::string(buffer.data(), end);
}

std::string path_step(const std::string& key) {
  const bool is_plain = !key.empty() && key.find_first_of(".[]=\" *?") == std::string::npos;
  return is_plain ? key : "\"" + key + "\"";
}

namespace {

/// Why `file` is none that can be read, and a file beside it that may be meant.
[[noreturn]] void throw_unreadable(const std::string& file, const std::string& reason) {
  namespace fs = std::filesystem;
  std::vector<std::string> neighbours;
  std::error_code ignored;
  const fs::path folder = fs::path(file).parent_path();
  for (const auto& entry : fs::directory_iterator(folder.empty() ? fs::path(".") : folder, ignored))
    if (entry.path().extension() == ".yaml" && folder / entry.path().filename() != fs::path(file))
      neighbours.push_back((folder / entry.path().filename()).string());
  std::sort(neighbours.begin(), neighbours.end());
  const std::string near = nearest_name(file, neighbours);
  throw ConfigError("[config] " + file + ": expected a readable file, got \"" + reason + "\"; " +
                    (near.empty() ? "check the path" : "did you mean \"" + near + "\"?"));
}

/// A pipe or a device might never end, and what is larger is no configuration.
std::string read_small_file(const std::string& file) {
  constexpr std::uintmax_t kMostBytes = 16u << 20;
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(file, error);
  if (!std::filesystem::exists(status)) throw_unreadable(file, error.message());
  if (std::filesystem::is_directory(status)) throw_unreadable(file, std::generic_category().message(EISDIR));
  if (!std::filesystem::is_regular_file(status)) throw_unreadable(file, "a pipe or a device");
  errno = 0;
  std::ifstream stream(file, std::ios::binary);
  if (!stream) throw_unreadable(file, std::generic_category().message(errno));
  std::string text;
  std::array<char, 1 << 16> piece;
  while (stream.read(piece.data(), piece.size()), stream.gcount() > 0) {
    text.append(piece.data(), static_cast<std::size_t>(stream.gcount()));
    if (text.size() > kMostBytes)
      throw ConfigError("[config] " + file + ": expected at most 16 MiB, got more; is it a configuration?");
  }
  if (stream.bad()) throw_unreadable(file, std::generic_category().message(errno));
  return text;
}

}  // namespace

YamlValue::YamlValue(std::shared_ptr<Node> node) : node_(std::move(node)) {}

YamlValue YamlValue::parse(const std::string& text, const std::string& file) {
  const auto source = std::make_shared<const YamlSource>(YamlSource{file, split_lines(text)});
  return YamlValue(build_yaml_tree(text, source, ""));
}

YamlValue YamlValue::load(const std::string& file) {
  return parse(read_small_file(file), file);
}

void YamlValue::set(const std::string& assignment) {
  const auto source = std::make_shared<const YamlSource>(YamlSource{"--set " + assignment, {}});
  const auto [keys, text] = split_assignment(assignment, *source);
  std::shared_ptr<Node> parent = node_;
  for (std::size_t i = 0; i < keys.size(); ++i) {
    expect_map_for(*parent, *source);
    const std::string path = parent->path + (parent->path.empty() ? "" : ".") + path_step(keys[i]);
    const bool is_last = i + 1 == keys.size();
    const auto place = parent->places.find(keys[i]);
    const bool is_there = place != parent->places.end();
    if (is_there && !is_last) {
      parent = parent->children[place->second].second;
      continue;
    }
    const std::shared_ptr<Node> value = build_yaml_tree(is_last ? text : "", source, path);
    if (is_there) {
      parent->children[place->second].second = value;
    } else {
      parent->add(keys[i], value);
    }
    parent = value;
  }
}

bool YamlValue::has(const std::string& key) {
  if (!is_map()) fail("a map");
  node_->know(key);
  return node_->child(key) != nullptr;
}

YamlValue YamlValue::at(const std::string& key) {
  if (has(key)) return YamlValue(node_->child(key));
  for (const auto& [other, value] : node_->children)  // a misspelt key explains the missing one better
    if (nearest_name(other, node_->known) == key) throw_unknown_key(other, *value, node_->known);
  const std::string path = node_->path + (node_->path.empty() ? "" : ".") + path_step(key);
  throw_config_error(*node_->source, shown_mark(*node_), path, "expected a value, got nothing; add the key");
}

bool YamlValue::is_null() const {
  return node_->kind == Kind::kNull;
}
bool YamlValue::is_map() const {
  return node_->kind == Kind::kMap;
}
bool YamlValue::is_list() const {
  return node_->kind == Kind::kList;
}
bool YamlValue::is_scalar() const {
  return node_->kind == Kind::kScalar;
}
const std::string& YamlValue::path() const {
  return node_->path;
}

std::vector<std::string> YamlValue::keys() const {
  if (!is_map()) fail("a map");
  std::vector<std::string> names;
  for (const auto& [key, value] : node_->children) names.push_back(key);
  return names;
}

std::vector<YamlValue> YamlValue::items() const {
  if (!is_list()) fail("a list");
  std::vector<YamlValue> values;
  for (const auto& [key, value] : node_->children) values.emplace_back(value);
  return values;
}

std::string YamlValue::text() const {
  if (!is_scalar()) fail("a text");
  return node_->text;
}

bool YamlValue::boolean() const {
  const bool is_boolean = is_scalar() && (node_->text == "true" || node_->text == "false");
  if (!is_boolean || node_->quoted) fail("true or false", unquote_hint(*node_, is_boolean));
  return node_->text == "true";
}

std::int64_t YamlValue::integer(std::int64_t low, std::int64_t high) const {
  const std::optional<std::int64_t> value = is_scalar() ? parse_integer(node_->text) : std::nullopt;
  const bool is_inside = value && *value >= low && *value <= high;
  if (!is_inside || node_->quoted) fail("an integer" + bounds(low, high), unquote_hint(*node_, is_inside));
  return *value;
}

std::int64_t YamlValue::integer_at_least(std::int64_t low, std::int64_t limit) const {
  const std::string digits = is_scalar() ? node_->text.substr(node_->text.starts_with('+') ? 1 : 0) : "";
  const bool is_number = !digits.empty() && digits.find_first_not_of("0123456789") == std::string::npos;
  const std::optional<std::int64_t> value = is_number ? parse_integer(digits) : std::nullopt;
  if (is_number && !node_->quoted && value.value_or(kAnyInteger) > limit)
    fail("an integer <= " + std::to_string(limit));
  return integer(low, kAnyInteger);
}

double YamlValue::number(double low, double high) const {
  const std::optional<double> value = is_scalar() ? parse_yaml_number(node_->text) : std::nullopt;
  const bool is_inside =
      value && *value >= low && *value <= high;  // false for NaN and, by high, for infinity
  if (!is_inside || node_->quoted) fail("a number" + bounds(low, high), unquote_hint(*node_, is_inside));
  return *value;
}

std::string YamlValue::choice(const std::vector<std::string>& names) const {
  const bool is_known = is_scalar() && std::find(names.begin(), names.end(), node_->text) != names.end();
  if (is_known) return node_->text;
  const std::string near = is_scalar() ? nearest_name(node_->text, names) : "";
  fail(alternatives(names), near.empty() ? "" : "did you mean \"" + near + "\"?");
}

void YamlValue::finish() const {
  for (const auto& [key, value] : node_->children) {
    if (node_->known_set.count(key) == 0) throw_unknown_key(key, *value, node_->known);
  }
}

void YamlValue::fail(const std::string& expected, const std::string& hint) const {
  throw_config_error(
      *node_->source, shown_mark(*node_), node_->path,
      "expected " + expected + ", got " + describe(*node_) + (hint.empty() ? "" : "; " + hint));
}

}  // namespace samebits
