#include "training/readers/text_file.h"

#include <array>
#include <string_view>

#include "training/readers/data_error.h"
#include "training/readers/packed_file.h"
#include "training/report/text.h"

namespace samebits::training {
namespace {

/// Bytes of the code point that `text` begins with; 0 when it begins with none (RFC 3629, table of section
/// 4).
std::size_t code_point_bytes(std::string_view text) {
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<std::uint8_t>(text[i]) : 0u; };
  const unsigned first = byte(0), second = byte(1);
  const auto is_tail = [&](std::size_t i) { return (byte(i) & 0xC0) == 0x80; };
  if (first < 0x80) return first == 0 ? 0 : 1;  // no text has a NUL
  if (first >= 0xC2 && first <= 0xDF) return is_tail(1) ? 2 : 0;
  if (first >= 0xE0 && first <= 0xEF) {
    const bool is_second =
        is_tail(1) && !(first == 0xE0 && second < 0xA0) && !(first == 0xED && second > 0x9F);
    return is_second && is_tail(2) ? 3 : 0;
  }
  if (first >= 0xF0 && first <= 0xF4) {
    const bool is_second =
        is_tail(1) && !(first == 0xF0 && second < 0x90) && !(first == 0xF4 && second > 0x8F);
    return is_second && is_tail(2) && is_tail(3) ? 4 : 0;
  }
  return 0;
}

}  // namespace

std::string read_text(const std::filesystem::path& path) {
  std::string text = read_packed(path, "a text file");
  for (std::size_t i = 0; i < text.size();) {
    const std::size_t bytes = code_point_bytes(std::string_view(text).substr(i));
    if (bytes == 0)
      fail_data(path.string(), "UTF-8",
                formatted("0x%02x at byte %zu", static_cast<unsigned>(static_cast<std::uint8_t>(text[i])), i),
                "convert it, for example with iconv -t UTF-8");
    i += bytes;
  }
  return text;
}

}  // namespace samebits::training
