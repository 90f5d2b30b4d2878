// How numbers are written for people, on the terminal and in the HTML report. A value that is not there (NaN,
// null) is written as an en dash.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace samebits::training {

/// snprintf into a string.
[[gnu::format(printf, 1, 2)]] std::string formatted(const char* format, ...);

/// `value` with `decimals` digits behind the point; an en dash unless it is finite. Never "-0.00".
std::string fixed_text(double value, int decimals);

/// The shortest of fixed and scientific notation with `digits` significant digits; an en dash unless it is
/// finite.
std::string significant_text(double value, int digits);

std::string thousands_text(std::int64_t value);  // 1,234,567
std::string bytes_text(std::int64_t bytes);      // 812 B, 3.4 kB, 1.65 MB, 2.10 GB (powers of 1000)
std::string duration_text(double seconds);       // 0:41, 1:02:03; whole seconds, up; a dash unless in 0..1e9

/// UTF-8 `text` as HTML or XML text or attribute value. Control characters, which XML forbids, become U+FFFD.
std::string html_escaped(std::string_view text);

/// `text` for a terminal: control characters, which names of files may hold, as \x1b; lines and tabs stay.
std::string printable_text(std::string_view text);

}  // namespace samebits::training
