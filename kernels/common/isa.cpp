#include "kernels/common/isa.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif
#if defined(__linux__)
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

#include <algorithm>
#include <array>
#include <cstdlib>
#include <stdexcept>
#include <string_view>

#include "kernels/common/float_environment.h"

namespace samebits::kernels::isa {
namespace {

// Worst first: a level allows itself and all before it.
constexpr std::array<std::string_view, 7> kLevels = {"reference", "neon",        "neon_dotprod", "avx2",
                                                     "avx512",    "avx512_vnni", "amx"};

std::size_t level_of(std::string_view name) {
  return static_cast<std::size_t>(std::find(kLevels.begin(), kLevels.end(), name) - kLevels.begin());
}

std::string why_not(std::string_view level, bool present, std::string_view feature) {
  if (!forced().empty() && level_of(forced()) < level_of(level)) return "SAMEBITS_ISA=" + forced();
  if (!present) return "the processor has no " + std::string(feature);
  return {};
}
std::string why_not(std::string_view level, bool present) {
  return why_not(level, present, level);
}

#if defined(__x86_64__)
constexpr bool kX86 = true;
/// A bit of ecx of a CPUID leaf, for what clang's __builtin_cpu_supports does not name.
bool leaf_ecx(unsigned leaf, int bit) {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(leaf, &a, &b, &c, &d) != 0 && (c >> bit & 1) != 0;
}
// What Highway compiles these targets for (hwy/ops/set_macros-inl.h); asked for here, so that no
// library of its is needed. The functions look at the operating system's support too.
bool supports_avx2() {
  __builtin_cpu_init();
  return __builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0 &&
         __builtin_cpu_supports("bmi") != 0 && __builtin_cpu_supports("bmi2") != 0 &&
         __builtin_cpu_supports("sse4.2") != 0 && __builtin_cpu_supports("aes") != 0 &&
         __builtin_cpu_supports("pclmul") != 0 && leaf_ecx(1, 29) && leaf_ecx(0x80000001, 5);  // F16C, LZCNT
}
bool supports_avx3() {
  return supports_avx2() && __builtin_cpu_supports("avx512f") != 0 &&
         __builtin_cpu_supports("avx512vl") != 0 && __builtin_cpu_supports("avx512dq") != 0 &&
         __builtin_cpu_supports("avx512bw") != 0;
}
bool has_dotprod() {
  return false;
}
#else
constexpr bool kX86 = false;
bool supports_avx2() {
  return false;
}
bool supports_avx3() {
  return false;
}
bool has_dotprod() {
  constexpr unsigned long kAsimdDotprod = 1UL << 20;  // HWCAP_ASIMDDP
  return (getauxval(AT_HWCAP) & kAsimdDotprod) != 0;
}
#endif

#if defined(__x86_64__)
// CPUID leaf 7, sub-leaf 0: bits that GCC 12's __builtin_cpu_supports does not all name.
bool leaf7_edx(int bit) {
  unsigned a = 7, b = 0, c = 0, d = 0;
  __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  return (d >> bit & 1) != 0;
}
/// Whether the system lets this process use the tile registers (Linux, Documentation/arch/x86/xstate.rst).
bool amx_is_permitted() {
  constexpr long kRequestPermission = 0x1023, kTileData = 18;
  return syscall(SYS_arch_prctl, kRequestPermission, kTileData) == 0;
}
bool has_amx() {
  static const bool present = leaf7_edx(22) && leaf7_edx(24) && leaf7_edx(25) && amx_is_permitted();
  return present;
}
bool has_avx512_vnni() {
  return supports_avx3() && __builtin_cpu_supports("avx512vnni") != 0;
}
bool has_avx512_bf16() {
  return supports_avx3() && __builtin_cpu_supports("avx512bf16") != 0;
}
const std::array<Feature, 8>& features() {
  static const std::array<Feature, 8> list = {{
      {"avx2", __builtin_cpu_supports("avx2") != 0},
      {"fma", __builtin_cpu_supports("fma") != 0},
      {"avx512f", __builtin_cpu_supports("avx512f") != 0},
      {"avx512bw", __builtin_cpu_supports("avx512bw") != 0},
      {"avx512_vnni", __builtin_cpu_supports("avx512vnni") != 0},
      {"avx512_bf16", __builtin_cpu_supports("avx512bf16") != 0},
      {"amx_int8", leaf7_edx(25)},
      {"amx_bf16", leaf7_edx(22)},
  }};
  return list;
}
#else
bool has_amx() {
  return false;
}
bool has_avx512_vnni() {
  return false;
}
bool has_avx512_bf16() {
  return false;
}
const std::array<Feature, 2>& features() {
  static const std::array<Feature, 2> list = {{{"neon", true}, {"neon_dotprod", has_dotprod()}}};
  return list;
}
#endif

}  // namespace

const std::string& forced() {
  static const std::string value = [] {
    const char* text = std::getenv("SAMEBITS_ISA");
    const std::string name = text == nullptr ? "" : text;
    if (!name.empty() && level_of(name) == kLevels.size())
      throw std::invalid_argument(
          "[isa] SAMEBITS_ISA: expected reference, neon, neon_dotprod, avx2, avx512, avx512_vnni or amx, got "
          "\"" +
          name + "\"; unset it to let the processor decide");
    check_float_environment();
    return name;
  }();
  return value;
}

std::string why_not_reference() {
  (void)forced();  // an unknown value is an error whatever is chosen
  return {};
}
std::string why_not_avx2() {
  return why_not("avx2", supports_avx2());
}
std::string why_not_avx512() {
  return why_not("avx512", supports_avx3());
}
std::string why_not_avx512_vnni() {
  return why_not("avx512_vnni", has_avx512_vnni());
}
std::string why_not_avx512_bf16() {
  return why_not("avx512_vnni", has_avx512_bf16(), "avx512_bf16");
}
std::string why_not_amx() {
  return why_not("amx", has_amx());
}
std::string why_not_neon() {
  return why_not("neon", !kX86);
}
std::string why_not_neon_dotprod() {
  return why_not("neon_dotprod", has_dotprod());
}

std::span<const Feature> processor_features() {
  return features();
}

}  // namespace samebits::kernels::isa
