// The text of a C header under construction: names, constants, the parts that are called, the body of the
// function.
#pragma once

#include <array>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/common/affine.h"

namespace samebits {

/// A C function of parts/, as text.
struct CPart {
  std::string_view name, calls, text;  // calls: another part, or empty
};
/// The first is the header as a whole, with fields like @NAME@.
std::span<const CPart> c_parts();

/// `text` as a C identifier: other characters become '_', a digit does not begin it.
std::string c_identifier(std::string_view text);
/// A constant with the bits of `value`: "0x1.8p+1f", INFINITY, NAN.
std::string c_float(float value);
/// "{1, 2, 3}".
std::string c_list(std::span<const std::int64_t> values);

class CText {
 public:
  /// `prefix` begins every name: "net".
  explicit CText(std::string prefix) : prefix_(std::move(prefix)) {}

  const std::string& prefix() const { return prefix_; }
  /// Makes sure that the part, and what it calls, is there; returns the name that it has here.
  std::string use(std::string_view part);

  /// A constant array; its name, made of `name`.
  std::string array(const std::string& name, std::span<const std::int8_t> values);
  std::string array(const std::string& name, std::span<const std::int32_t> values);
  std::string array(const std::string& name, std::span<const float> values);
  /// "{0x1.8p-5f, -3, -128, 127}", a grid's fields.
  static std::string grid(const kernels::AffineGrid& grid);

  /// A line of the function's body.
  void line(const std::string& text) { body_ += "  " + text + "\n"; }

  std::int64_t array_bytes() const { return array_bytes_; }
  const std::string& constants() const { return constants_; }
  const std::string& body() const { return body_; }
  /// The text of the parts in use.
  std::string parts() const;

 private:
  template <class T, class Print>
  std::string add_array(const char* type, const std::string& name, std::span<const T> values, Print print);

  std::string prefix_, constants_, body_;
  std::set<std::string> names_;
  std::set<std::string_view> used_;
  std::int64_t array_bytes_ = 0;
};

}  // namespace samebits
