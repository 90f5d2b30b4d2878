#pragma once
#include "kernels/formats/pack_int4.h"

namespace samebits::kernels::reference {
void pack_int4(const std::int8_t* codes, std::int64_t n, std::uint8_t* packed);
void unpack_int4(const std::uint8_t* packed, std::int64_t n, std::int8_t* codes);
}  // namespace samebits::kernels::reference
