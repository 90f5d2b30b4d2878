// Which instruction sets may run: what the processor has, limited by the environment variable SAMEBITS_ISA
// (reference, avx2, avx512, avx512_vnni, amx or neon: the best one allowed). Read once.
#pragma once

#include <span>
#include <string>

namespace samebits::kernels::isa {

/// Empty when it may run, else the reason, as `samebits doctor` prints it. Each throws
/// std::invalid_argument when SAMEBITS_ISA has an unknown value.
std::string why_not_reference();
std::string why_not_avx2();
std::string why_not_avx512();
std::string why_not_neon();

/// The value of SAMEBITS_ISA, or empty when it is not set.
const std::string& forced();

/// One line a feature of the processor that kernels choose by, and whether it is there.
struct Feature {
  const char* name;
  bool present;
};
std::span<const Feature> processor_features();

}  // namespace samebits::kernels::isa
