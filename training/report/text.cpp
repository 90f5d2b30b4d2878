// snprintf with the rules of text.h on top: std::format is not in every C++20 library yet.
#include "training/report/text.h"

#include <array>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <cstdlib>

namespace samebits::training {
namespace {

constexpr char kDash[] = "–";

}  // namespace

std::string formatted(const char* format, ...) {
  std::va_list arguments;
  va_start(arguments, format);
  const int size = std::vsnprintf(nullptr, 0, format, arguments);
  va_end(arguments);
  std::string text(static_cast<std::size_t>(size), '\0');
  va_start(arguments, format);
  std::vsnprintf(text.data(), text.size() + 1, format, arguments);
  va_end(arguments);
  return text;
}

std::string fixed_text(double value, int decimals) {
  if (!std::isfinite(value)) return kDash;
  const std::string text = formatted("%.*f", decimals, value);
  const bool is_zero = text.find_first_of("123456789") == std::string::npos;
  return is_zero && text[0] == '-' ? text.substr(1) : text;
}

std::string significant_text(double value, int digits) {
  return std::isfinite(value) ? formatted("%.*g", digits, value) : kDash;
}

std::string thousands_text(std::int64_t value) {
  std::string text = std::to_string(value);
  const std::size_t first_digit = value < 0 ? 1 : 0;
  for (std::size_t i = text.size(); i > first_digit + 3;) text.insert(i -= 3, 1, ',');
  return text;
}

std::string bytes_text(std::int64_t bytes) {
  if (bytes < 1000) return formatted("%lld B", static_cast<long long>(bytes));
  double value = static_cast<double>(bytes) / 1000;
  std::size_t unit = 0;
  constexpr std::array kUnits = {"kB", "MB", "GB", "TB"};
  // 999.95 would be printed as 1000.0.
  while (value >= 999.95 && unit + 1 < kUnits.size()) value /= 1000, ++unit;
  return formatted("%.*f %s", unit == 0 ? 1 : 2, value, kUnits[unit]);
}

std::string duration_text(double seconds) {
  if (!std::isfinite(seconds) || seconds < 0 || seconds > 1e9) return kDash;
  const auto whole = static_cast<long long>(std::ceil(seconds));
  const long long hours = whole / 3600, minutes = whole / 60 % 60;
  if (hours > 0) return formatted("%lld:%02lld:%02lld", hours, minutes, whole % 60);
  return formatted("%lld:%02lld", minutes, whole % 60);
}

std::string html_escaped(std::string_view text) {
  std::string escaped;
  escaped.reserve(text.size());
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      case '\'':
        escaped += "&#39;";
        break;
      default:
        if ((byte < 0x20 && c != '\t' && c != '\n') || byte == 0x7f) {
          escaped += "\uFFFD";
        } else {
          escaped += c;
        }
    }
  }
  return escaped;
}

std::string printable_text(std::string_view text) {
  std::string printable;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const auto next = i + 1 < text.size() ? static_cast<unsigned char>(text[i + 1]) : 0u;
    const bool is_c1 =
        byte == 0xc2 && next >= 0x80 && next < 0xa0;  // U+0080..U+009F, which steer terminals too
    const bool is_control = (byte < 0x20 && byte != '\n' && byte != '\t') || byte == 0x7f;
    if (is_c1) {
      printable += formatted("\\x%02x", next);
      ++i;
    } else if (is_control) {
      printable += formatted("\\x%02x", byte);
    } else {
      printable += text[i];
    }
  }
  return printable;
}

}  // namespace samebits::training
