// JSON of files that nobody vouches for.
#pragma once

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

namespace samebits::io {

/// What is wrong with a text, from "expected " on.
struct JsonError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Parses `text`. Throws JsonError when it is no JSON, has a key twice (nlohmann alone would keep the last
/// one) or nests deeper than 16 (nlohmann prints and copies recursively).
nlohmann::json parse_json(const std::string& text);

}  // namespace samebits::io
