// What a machine can do, as far as a plan needs it: peaks, memory, and the widths of weights that it runs.
// planner/profiles/ has some; torch_ext/config/profile_yaml.h reads them. Plain data.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace samebits::planner {

/// 10^9 additions and multiplications a second, all cores, by the operands' type; 0: the machine has no
/// such.
struct Peaks {
  double fp32 = 0, fp16 = 0, int8 = 0, int4 = 0;  // fp16: of bfloat16 where that is what it has
};

struct HardwareProfile {
  std::string name;                   // of the file: "raspberry_pi_4"
  std::string device;                 // the very part that the figures are of
  double bandwidth_gb_s = 0;          // of main memory, 10^9 bytes a second
  double cache_mib = 0;               // the last level
  double memory_gib = 0;              // main memory, or a GPU's own
  std::int64_t channel_multiple = 1;  // channels that are a multiple of this leave no lane idle
  Peaks peaks;
  std::vector<std::int64_t> weight_bits;  // widths in which weights are stored and run, ascending: 4, 8, 32

  /// The peak for operands of `bits`: of the narrowest type that holds them. Throws std::invalid_argument
  /// when there is none.
  double peak(int bits) const;
  /// The narrowest width of weight_bits that holds `bits`. Throws like peak().
  int stored_bits(int bits) const;
};

/// No machine but the package (docs/reference/package.md): 4 bits two a byte, 8, or float32; no peaks.
HardwareProfile package_storage();

}  // namespace samebits::planner
