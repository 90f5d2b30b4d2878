#include "export/c_header/c_text.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

#include "io/error.h"

namespace samebits {
namespace {

constexpr std::string_view kPartPrefix = "samebits_";
constexpr std::size_t kColumns = 110;

bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

}  // namespace

std::string c_identifier(std::string_view text) {
  std::string name;
  for (const char c : text) name.push_back(is_letter(c) || is_digit(c) ? c : '_');
  return name.empty() || is_digit(name[0]) ? io::join('_', name) : name;
}

std::string c_float(float value) {
  if (std::isnan(value)) return "NAN";
  if (std::isinf(value)) return value > 0 ? "INFINITY" : "-INFINITY";
  char text[32];
  std::snprintf(text, sizeof(text), "%af", static_cast<double>(value));
  return text;
}

std::string c_list(std::span<const std::int64_t> values) {
  std::string text;
  for (const std::int64_t value : values) text += (text.empty() ? "" : ", ") + std::to_string(value);
  return io::join('{', text, '}');
}

std::string CText::use(std::string_view part) {
  const auto parts = c_parts();
  const auto found = std::find_if(parts.begin(), parts.end(), [&](const CPart& p) { return p.name == part; });
  if (!found->calls.empty()) use(found->calls);
  used_.insert(found->name);
  return prefix_ + "_" + std::string(part);
}

template <class T, class Print>
std::string CText::add_array(const char* type, const std::string& what, std::span<const T> values,
                             Print print) {
  std::string name = prefix_ + "_" + c_identifier(what);
  while (!names_.insert(name).second) name += "_";
  constants_ += io::join("static const ", type, ' ', name, '[', values.size(), "] = {\n");
  std::string line(1, ' ');
  for (const T value : values) {
    const std::string text = print(value);
    if (line.size() + text.size() + 2 > kColumns) {
      constants_.append(line).push_back('\n');
      line.assign(1, ' ');
    }
    line.append(1, ' ').append(text).push_back(',');
  }
  constants_.append(line).append("\n};\n");
  array_bytes_ += static_cast<std::int64_t>(values.size_bytes());
  return name;
}

std::string CText::array(const std::string& name, std::span<const std::int8_t> values) {
  return add_array("int8_t", name, values, [](std::int8_t value) { return std::to_string(value); });
}

std::string CText::array(const std::string& name, std::span<const std::int32_t> values) {
  // The literal of the smallest one would be the negative of what int32_t does not hold.
  return add_array("int32_t", name, values, [](std::int32_t value) {
    return value == INT32_MIN ? std::string("-2147483647 - 1") : std::to_string(value);
  });
}

std::string CText::array(const std::string& name, std::span<const float> values) {
  return add_array("float", name, values, c_float);
}

std::string CText::grid(const kernels::AffineGrid& grid) {
  return io::join('{', c_float(grid.scale), ", ", grid.zero_point, ", ", grid.qmin, ", ", grid.qmax, '}');
}

std::string CText::parts() const {
  std::string text;
  for (const CPart& part : c_parts()) {
    if (!used_.contains(part.name)) continue;
    std::string_view rest = part.text;
    for (std::size_t at; (at = rest.find(kPartPrefix)) != std::string_view::npos;) {
      text += std::string(rest.substr(0, at)) + prefix_ + "_";
      rest.remove_prefix(at + kPartPrefix.size());
    }
    text += std::string(rest) + "\n";
  }
  return text;
}

}  // namespace samebits
