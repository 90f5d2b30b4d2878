// How the torch-free layers report: one line of text in a std::runtime_error.
#pragma once

#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace samebits::io {

/// The parts printed one after another.
template <class... Parts>
std::string join(const Parts&... parts) {
  std::ostringstream text;
  (text << ... << parts);
  return text.str();
}

/// Throws std::runtime_error with the parts as its text.
template <class... Parts>
[[noreturn]] void fail(const Parts&... parts) {
  throw std::runtime_error(join(parts...));
}

/// "[2, 3]", as shapes stand in messages.
std::string to_text(const std::vector<std::int64_t>& shape);

/// What a file said, for a message: cut after about 100 bytes, at a whole UTF-8 character.
std::string shortened(const std::string& text);

}  // namespace samebits::io
