// Texts that several messages share.
#include "io/error.h"

namespace samebits::io {

std::string to_text(const std::vector<std::int64_t>& shape) {
  std::string text = "[";
  for (const std::int64_t size : shape) text += (text.size() > 1 ? ", " : "") + std::to_string(size);
  return text + "]";
}

std::string shortened(const std::string& text) {
  std::size_t bytes = 100;
  if (text.size() <= bytes) return text;
  while ((static_cast<unsigned char>(text[bytes]) & 0xc0u) == 0x80u) --bytes;
  return text.substr(0, bytes) + "…";
}

}  // namespace samebits::io
