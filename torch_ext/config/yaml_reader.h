// Strict reading of YAML: every mapping says which keys it knows; whatever else stands there is an error with
// path, line, column and the nearest known key. Torch-free.
#pragma once

#include <cstdint>
#include <limits>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace samebits {

/// "[config] FILE:LINE: KEY.PATH: expected A, got B; hint". Below it what() shows the line and a caret:
/// "  9 |   activaton: {bits: 8}" and "        ^". Values of --set name "--set a.b=c" and show no line.
class ConfigError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A document, and where it came from: needed for messages.
struct YamlSource {
  std::string file;                // as the user named it
  std::vector<std::string> lines;  // for the caret
};

/// Bounds for YamlValue::number() that leave out 0 and 1 themselves: "a number > 0", "a number >= 0 and < 1".
inline constexpr double kAboveZero = std::numeric_limits<double>::denorm_min();
inline constexpr double kBelowOne = 1.0 - std::numeric_limits<double>::epsilon() / 2;
/// A bound that leaves a side open; infinities and NaN stay errors.
inline constexpr double kAnyNumber = std::numeric_limits<double>::max();
inline constexpr std::int64_t kAnyInteger = std::numeric_limits<std::int64_t>::max();

/// One value of the document with its key path. Cheap to copy; copies share the document. Reading marks keys
/// as known; finish() complains about the others.
class YamlValue {
 public:
  /// Parses `text`. Throws ConfigError on a syntax error, a duplicate key anywhere, an alias, a tag, a key
  /// that is no scalar, and a second document. An empty text is a null value.
  static YamlValue parse(const std::string& text, const std::string& file);

  /// Reads and parses a regular file of at most 16 MiB. Throws ConfigError when it cannot be read.
  static YamlValue load(const std::string& file);

  /// Applies `--set a.b=c`: the value is parsed as YAML and replaces or adds a.b. A key that holds a dot
  /// stands in double quotes: `layers."fc.*".skip=true`. Messages about the value name "--set a.b=c" instead
  /// of a line. Throws ConfigError on text without '=' or a path through a scalar or a list.
  void set(const std::string& assignment);

  // Of a map; all throw when this value is none.
  bool has(const std::string& key);       // marks the key as known
  YamlValue at(const std::string& key);   // marks it too; throws when missing
  std::vector<std::string> keys() const;  // in order; does not mark

  bool is_null() const;
  bool is_map() const;
  bool is_list() const;
  bool is_scalar() const;
  std::vector<YamlValue> items() const;  // of a list; throws when this value is none

  std::string text() const;                                         // a scalar as written, without its quotes
  bool boolean() const;                                             // true or false
  std::int64_t integer(std::int64_t low, std::int64_t high) const;  // both included
  /// At least `low`; `limit` is what this machine can make use of: "expected an integer >= 1, got 0", and
  /// above it "expected an integer <= 1024, got 4294967297".
  std::int64_t integer_at_least(std::int64_t low, std::int64_t limit) const;
  double number(double low, double high) const;                     // both included; finite
  std::string choice(const std::vector<std::string>& names) const;  // "did you mean" included

  /// Throws on the first key of this map that no has() or at() named. Maps read through at() are finished by
  /// their own readers.
  void finish() const;

  /// Throws a ConfigError at this value: "expected …, got …" plus an optional hint.
  [[noreturn]] void fail(const std::string& expected, const std::string& hint = "") const;

  const std::string& path() const;  // "qat.weight.bits", "model.channels[1]"; empty at the root

  struct Node;
  explicit YamlValue(std::shared_ptr<Node> node);

 private:
  std::shared_ptr<Node> node_;
};

/// The name of `candidates` with the smallest edit distance to `word`, or empty when none is near (distance >
/// 3 or more than half the word). The first of equals.
std::string nearest_name(const std::string& word, const std::vector<std::string>& candidates);
/// The same however far it is; empty only when there are no candidates.
std::string nearest_name_of_any(const std::string& word, const std::vector<std::string>& candidates);

/// "a", "a or b", "a, b or c".
std::string alternatives(const std::vector<std::string>& names);

/// `value` in the fewest digits that YamlValue::number() reads back as the same double.
std::string number_text(double value);

/// A key as one step of a key path: in double quotes where it holds a character that a path gives a meaning.
std::string path_step(const std::string& key);

}  // namespace samebits
