// The keys of one JSON object, read strictly: each is asked for once, and there is none besides.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "graph/types.h"

namespace samebits::graph {

class JsonKeys {
 public:
  using Json = nlohmann::json;

  /// `where` begins messages: "conv1.weight". Throws GraphError unless `object` is one; it must outlive this.
  JsonKeys(const Json& object, std::string where);

  bool has(const char* key) const { return object_.contains(key); }

  // Throw GraphError when the key is missing or its value is of another kind.
  const Json& value(const char* key);
  const Json& list(const char* key);
  JsonKeys object(const char* key) { return {value(key), place(key)}; }
  std::string text(const char* key);
  std::vector<std::string> texts(const char* key);
  bool flag(const char* key);
  float number(const char* key);
  std::int64_t integer(const char* key, std::int64_t low, std::int64_t high);
  template <class Int>
  Int integer(const char* key) {
    return static_cast<Int>(integer(key, std::numeric_limits<Int>::min(), std::numeric_limits<Int>::max()));
  }
  Sizes integers(const char* key);
  Pair pair(const char* key);
  Dimension dimension(const char* key);
  Shape shape(const char* key);

  /// Throws when a key was never asked for.
  void end() const;

  [[noreturn]] void fail_at(const std::string& key, const std::string& expected, const Json& got) const;
  std::string place(const std::string& key) const { return where_.empty() ? key : where_ + "." + key; }

 private:
  Dimension dimension_of(const Json& found, const char* key) const;
  std::int64_t integer_of(const Json& found, const char* key, std::int64_t low, std::int64_t high) const;

  const Json& object_;
  std::string where_;
  std::set<std::string> read_;
};

}  // namespace samebits::graph
