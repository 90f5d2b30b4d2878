#include "tests/benchmark/instruction_peak.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>

namespace samebits::benchmark {
namespace {

/// The best of several runs of `loop(rounds)`, which does `operations` in a round.
double best_rate(void (*loop)(int rounds), double operations) {
  constexpr int kRounds = 200'000;
  double seconds = std::numeric_limits<double>::infinity();
  for (int run = 0; run < 10; ++run) {
    const auto begin = std::chrono::steady_clock::now();
    loop(kRounds);
    seconds =
        std::min(seconds, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  return operations * kRounds / seconds;
}

#if defined(__x86_64__)
// Twelve sums of their own hide the latency; all registers hold zeros, and the operands' values do not
// matter.
#define SAMEBITS_TWELVE_SUMS(instruction)                                                               \
  instruction " %%zmm30, %%zmm31, %%zmm16\n\t" instruction " %%zmm30, %%zmm31, %%zmm17\n\t" instruction \
              " %%zmm30, %%zmm31, %%zmm18\n\t" instruction " %%zmm30, %%zmm31, %%zmm19\n\t" instruction \
              " %%zmm30, %%zmm31, %%zmm20\n\t" instruction " %%zmm30, %%zmm31, %%zmm21\n\t" instruction \
              " %%zmm30, %%zmm31, %%zmm22\n\t" instruction " %%zmm30, %%zmm31, %%zmm23\n\t" instruction \
              " %%zmm30, %%zmm31, %%zmm24\n\t" instruction " %%zmm30, %%zmm31, %%zmm25\n\t" instruction \
              " %%zmm30, %%zmm31, %%zmm26\n\t" instruction " %%zmm30, %%zmm31, %%zmm27"

void vnni_loop(int rounds) {
  for (int i = 0; i < rounds; ++i) __asm__ volatile(SAMEBITS_TWELVE_SUMS("vpdpbusd") : : : "memory");
}

void bf16_loop(int rounds) {
  for (int i = 0; i < rounds; ++i) __asm__ volatile(SAMEBITS_TWELVE_SUMS("vdpbf16ps") : : : "memory");
}

void amx_loop(int rounds) {
  struct alignas(64) {
    std::uint8_t palette = 1, start_row = 0, reserved[14] = {};
    std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
    std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
  } config;
  __asm__ volatile("ldtilecfg %0" : : "m"(config));
  for (int i = 0; i < rounds; ++i)
    __asm__ volatile(
        "tdpbssd %%tmm6, %%tmm4, %%tmm0\n\ttdpbssd %%tmm7, %%tmm4, %%tmm1\n\t"
        "tdpbssd %%tmm6, %%tmm5, %%tmm2\n\ttdpbssd %%tmm7, %%tmm5, %%tmm3"
        :
        :
        : "memory");
  __asm__ volatile("tilerelease");
}
#endif

}  // namespace

double int8_peak(const std::string& name) {
#if defined(__x86_64__)
  if (name == "amx") return best_rate(amx_loop, 4 * 2.0 * 16 * 16 * 64);
  if (name == "avx512_vnni") return best_rate(vnni_loop, 12 * 2.0 * 64);
#endif
  (void)name;
  return 0;
}

double bf16_peak(const std::string& name) {
#if defined(__x86_64__)
  if (name == "avx512_bf16") return best_rate(bf16_loop, 12 * 2.0 * 32);
#endif
  (void)name;
  return 0;
}

}  // namespace samebits::benchmark
