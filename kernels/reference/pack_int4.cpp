// kernels/pack_int4.h: plain loops are all there is; packing happens once an export.
#include "kernels/pack_int4.h"

namespace samebits::kernels {

void pack_int4(const std::int8_t* codes, std::int64_t n, std::uint8_t* packed) {
  for (std::int64_t byte = 0; byte < packed_int4_bytes(n); ++byte) {
    const unsigned low = static_cast<unsigned>(codes[2 * byte]) & 0xFu;
    const unsigned high = 2 * byte + 1 < n ? static_cast<unsigned>(codes[2 * byte + 1]) & 0xFu : 0u;
    packed[byte] = static_cast<std::uint8_t>(low | high << 4);
  }
}

void unpack_int4(const std::uint8_t* packed, std::int64_t n, std::int8_t* codes) {
  for (std::int64_t i = 0; i < n; ++i) {
    const int nibble = packed[i / 2] >> (i % 2 * 4) & 0xF;
    codes[i] = static_cast<std::int8_t>(nibble >= 8 ? nibble - 16 : nibble);
  }
}

}  // namespace samebits::kernels
