#include "planner/hardware_profile.h"

#include <algorithm>
#include <stdexcept>

namespace samebits::planner {

double HardwareProfile::peak(int bits) const {
  if (bits <= 4 && peaks.int4 > 0) return peaks.int4;
  if (bits <= 8 && peaks.int8 > 0) return peaks.int8;
  if (bits <= 16 && peaks.fp16 > 0) return peaks.fp16;
  if (bits <= 32 && peaks.fp32 > 0) return peaks.fp32;
  throw std::invalid_argument("[plan] " + name + ": expected a peak for operands of " + std::to_string(bits) +
                              " bits, got none; name a profile that has one");
}

int HardwareProfile::stored_bits(int bits) const {
  const auto found = std::lower_bound(weight_bits.begin(), weight_bits.end(), bits);
  if (found == weight_bits.end())
    throw std::invalid_argument(
        "[plan] " + name + ": expected weight_bits of at least " + std::to_string(bits) + ", got " +
        std::to_string(weight_bits.empty() ? 0 : weight_bits.back()) + "; add it to the profile");
  return static_cast<int>(*found);
}

HardwareProfile package_storage() {
  HardwareProfile profile;
  profile.name = "package";
  profile.device = "a package's files";
  profile.weight_bits = {4, 8, 32};
  return profile;
}

}  // namespace samebits::planner
