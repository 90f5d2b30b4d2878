// Philox4x32-10, a counter-based random generator (Salmon et al., "Parallel random numbers: as easy as 1, 2,
// 3", 2011): element i of a tensor has its own number, whoever computes it, on host and device, in any order.
#pragma once

#include <cstdint>

#include "kernels/common/host_device.h"

namespace samebits::kernels {

struct PhiloxBlock {
  std::uint32_t word[4];
};

constexpr std::uint32_t kPhiloxMultiplier0 = 0xD2511F53u, kPhiloxMultiplier1 = 0xCD9E8D57u;
constexpr std::uint32_t kPhiloxKeyStep0 = 0x9E3779B9u, kPhiloxKeyStep1 = 0xBB67AE85u;
constexpr int kPhiloxRounds = 10;

/// The four words of one counter under one key.
SAMEBITS_HOST_DEVICE inline PhiloxBlock philox(const PhiloxBlock& counter, std::uint64_t key) {
  std::uint32_t c0 = counter.word[0], c1 = counter.word[1], c2 = counter.word[2], c3 = counter.word[3];
  std::uint32_t low_key = static_cast<std::uint32_t>(key), high_key = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < kPhiloxRounds; ++round) {
    const std::uint64_t product0 = std::uint64_t{kPhiloxMultiplier0} * c0;
    const std::uint64_t product1 = std::uint64_t{kPhiloxMultiplier1} * c2;
    c0 = static_cast<std::uint32_t>(product1 >> 32) ^ c1 ^ low_key;
    c1 = static_cast<std::uint32_t>(product1);
    c2 = static_cast<std::uint32_t>(product0 >> 32) ^ c3 ^ high_key;
    c3 = static_cast<std::uint32_t>(product0);
    low_key += kPhiloxKeyStep0;
    high_key += kPhiloxKeyStep1;
  }
  return {{c0, c1, c2, c3}};
}

/// The word of one element: word i % 4 of counter {i / 4, stream}, 64 bits each, under the key `seed`.
SAMEBITS_HOST_DEVICE inline std::uint32_t random_word(std::uint64_t seed, std::uint64_t stream,
                                                      std::uint64_t element) {
  const std::uint64_t block = element / 4;
  const PhiloxBlock counter = {{static_cast<std::uint32_t>(block), static_cast<std::uint32_t>(block >> 32),
                                static_cast<std::uint32_t>(stream),
                                static_cast<std::uint32_t>(stream >> 32)}};
  return philox(counter, seed).word[element % 4];
}

/// A multiple of 2^-24 in [0, 1), all equally likely.
SAMEBITS_HOST_DEVICE inline float unit_float(std::uint32_t word) {
  return static_cast<float>(word >> 8) * 0x1p-24f;
}

}  // namespace samebits::kernels
