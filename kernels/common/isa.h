// Which instruction sets may run: what the processor has, limited by the environment variable SAMEBITS_ISA
// (reference, avx2, avx512, avx512_vnni, amx; neon, neon_dotprod on AArch64: the best one allowed). Read
// once.
#pragma once

#include <span>
#include <string>

namespace samebits::kernels::isa {

/// Empty when it may run, else the reason, as `samebits doctor` prints it. Each throws
/// std::invalid_argument when SAMEBITS_ISA has an unknown value.
std::string why_not_reference();
std::string why_not_avx2();
std::string why_not_avx512();
/// AVX-512 with VNNI (vpdpbusd).
std::string why_not_avx512_vnni();
/// AVX-512 with BF16 (vdpbf16ps). SAMEBITS_ISA=avx512 rules it out, avx512_vnni does not.
std::string why_not_avx512_bf16();
/// AMX tiles for int8 and bf16. The first call asks the system for permission to use them: make it before
/// threads start.
std::string why_not_amx();
std::string why_not_neon();
/// NEON with the dot product instructions (sdot).
std::string why_not_neon_dotprod();

/// The value of SAMEBITS_ISA, or empty when it is not set.
const std::string& forced();

/// One line a feature of the processor that kernels choose by, and whether it is there.
struct Feature {
  const char* name;
  bool present;
};
std::span<const Feature> processor_features();

}  // namespace samebits::kernels::isa
