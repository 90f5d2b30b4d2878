// CRC-32C (Castagnoli; RFC 3720, appendix B.4): guards checkpoints and TensorBoard's frames against damage.
#pragma once

#include <cstdint>
#include <string_view>

namespace samebits::training {

std::uint32_t crc32c(std::string_view bytes);

}  // namespace samebits::training
