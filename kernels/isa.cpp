#include "kernels/isa.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <stdexcept>
#include <string_view>

#include "hwy/targets.h"

namespace samebits::kernels::isa {
namespace {

// Worst first: a level allows itself and all before it.
constexpr std::array<std::string_view, 6> kLevels = {"reference", "neon", "avx2", "avx512", "avx512_vnni", "amx"};

std::size_t level_of(std::string_view name) {
  return static_cast<std::size_t>(std::find(kLevels.begin(), kLevels.end(), name) - kLevels.begin());
}

std::string why_not(std::string_view name, bool present) {
  if (!forced().empty() && level_of(forced()) < level_of(name)) return "SAMEBITS_ISA=" + forced();
  if (!present) return "the processor has no " + std::string(name);
  return {};
}

bool highway_supports(std::int64_t target) { return (hwy::SupportedTargets() & target) != 0; }

#if defined(__x86_64__)
constexpr bool kX86 = true;
#else
constexpr bool kX86 = false;
#endif

#if defined(__x86_64__)
// CPUID leaf 7, sub-leaf 0: bits that GCC 12's __builtin_cpu_supports does not all name.
bool leaf7_edx(int bit) {
  unsigned a = 7, b = 0, c = 0, d = 0;
  __asm__("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  return (d >> bit & 1) != 0;
}
const std::array<Feature, 7>& features() {
  static const std::array<Feature, 7> list = {{
      {"avx2", __builtin_cpu_supports("avx2") != 0},
      {"fma", __builtin_cpu_supports("fma") != 0},
      {"avx512f", __builtin_cpu_supports("avx512f") != 0},
      {"avx512bw", __builtin_cpu_supports("avx512bw") != 0},
      {"avx512_vnni", __builtin_cpu_supports("avx512vnni") != 0},
      {"amx_int8", leaf7_edx(25)},
      {"amx_bf16", leaf7_edx(22)},
  }};
  return list;
}
#else
const std::array<Feature, 1>& features() {
  static const std::array<Feature, 1> list = {{{"neon", true}}};
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
          "[isa] SAMEBITS_ISA: expected reference, neon, avx2, avx512, avx512_vnni or amx, got \"" + name +
          "\"; unset it to let the processor decide");
    return name;
  }();
  return value;
}

std::string why_not_reference() {
  (void)forced();  // an unknown value is an error whatever is chosen
  return {};
}
std::string why_not_avx2() { return why_not("avx2", kX86 && highway_supports(HWY_AVX2)); }
std::string why_not_avx512() { return why_not("avx512", kX86 && highway_supports(HWY_AVX3)); }
std::string why_not_neon() { return why_not("neon", !kX86); }

std::span<const Feature> processor_features() { return features(); }

}  // namespace samebits::kernels::isa
