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

/// Parses `text`, in time linear in its size. Throws JsonError when it is no JSON, holds a NUL (nlohmann
/// alone would stop there), has a key twice (it would keep the last one) or nests deeper than 16 (it prints
/// and copies recursively).
nlohmann::json parse_json(const std::string& text);

}  // namespace samebits::io
