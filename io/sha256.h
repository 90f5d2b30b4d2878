// SHA-256 (FIPS 180-4), so that damage to a file is found and `sha256sum` finds it too.
#pragma once

#include <string>
#include <string_view>

namespace samebits::io {

/// 64 lower-case hexadecimal digits.
std::string sha256(std::string_view bytes);

}  // namespace samebits::io
