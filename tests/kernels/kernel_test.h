// What the tests of kernels/ share: the fixture that skips an instruction set this machine lacks, the entries
// of a kernel to run, buffers that notice a write out of bounds, and comparison by bits.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

#include "kernels/common/affine.h"
#include "kernels/common/isa.h"
#include "kernels/common/kernel.h"
#include "tests/oracle.h"

namespace samebits::kernels {

/// Element counts around every vector length, and one of many vectors with a tail.
inline constexpr std::int64_t kCounts[] = {0, 1, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 1000};

/// Skips every test of a file when SAMEBITS_ISA names what this machine lacks.
class KernelTest : public testing::Test {
 protected:
  void SetUp() override {
    const std::string reason = why_not_forced();
    if (!reason.empty()) GTEST_SKIP() << "SAMEBITS_ISA=" << isa::forced() << ": " << reason;
  }

 private:
  static std::string why_not_forced() {
    if (isa::forced() == "avx2") return isa::why_not_avx2();
    if (isa::forced() == "avx512") return isa::why_not_avx512();
    if (isa::forced() == "avx512_vnni") return isa::why_not_avx512_vnni();
    if (isa::forced() == "amx") return isa::why_not_amx();
    if (isa::forced() == "neon") return isa::why_not_neon();
    if (isa::forced() == "neon_dotprod") return isa::why_not_neon_dotprod();
    return isa::why_not_reference();
  }
};

/// Without SAMEBITS_ISA every entry that runs here; with it the chosen one alone, as the others have runs of
/// their own.
template <class Function>
std::vector<Implementation<Function>> under_test(const Kernel<Function>& kernel) {
  if (!isa::forced().empty()) return {first_usable(kernel.implementations())};
  std::vector<Implementation<Function>> entries;
  for (const auto& entry : kernel.implementations())
    if (entry.why_not().empty()) entries.push_back(entry);
  return entries;
}

inline oracle::Grid to_oracle(const AffineGrid& grid) {
  return {grid.scale, grid.zero_point, grid.qmin, grid.qmax};
}

inline std::uint32_t bits(float value) {
  return std::bit_cast<std::uint32_t>(value);
}

/// Empty when both hold the same bits, else where they first differ.
template <class T>
std::string first_difference(std::span<const T> got, std::span<const T> expected) {
  if (got.size() != expected.size())
    return std::to_string(got.size()) + " elements, expected " + std::to_string(expected.size());
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (std::memcmp(&got[i], &expected[i], sizeof(T)) == 0) continue;
    std::ostringstream text;
    text << "element " << i << ": " << std::hexfloat << +got[i] << ", expected " << +expected[i];
    return text.str();
  }
  return {};
}
template <class T>
std::string first_difference(const std::vector<T>& got, const std::vector<T>& expected) {
  return first_difference(std::span<const T>(got), std::span<const T>(expected));
}

/// n elements, `offset` elements away from where the allocator aligned them, between guards. All is filled
/// with one byte, so that a write where none belongs shows.
template <class T>
class Guarded {
 public:
  explicit Guarded(std::int64_t n, std::int64_t offset = 0) : n_(n), front_(kGuard + offset) {
    storage_.resize(front_ + n + kGuard);
    std::memset(storage_.data(), kFill, storage_.size() * sizeof(T));
  }
  T* data() { return storage_.data() + front_; }
  std::vector<T> values() const { return {storage_.begin() + front_, storage_.begin() + front_ + n_}; }
  std::vector<T> values(std::int64_t begin, std::int64_t end) const {
    return {storage_.begin() + front_ + begin, storage_.begin() + front_ + end};
  }
  /// Whether nothing but elements [begin, end) was written.
  bool untouched_outside(std::int64_t begin, std::int64_t end) const {
    const auto* bytes = reinterpret_cast<const unsigned char*>(storage_.data());
    const auto is_filled = [](unsigned char byte) { return byte == kFill; };
    const auto size = static_cast<std::int64_t>(sizeof(T));
    return std::all_of(bytes, bytes + (front_ + begin) * size, is_filled) &&
           std::all_of(bytes + (front_ + end) * size, bytes + std::ssize(storage_) * size, is_filled);
  }
  bool guards_untouched() const { return untouched_outside(0, n_); }

  static constexpr unsigned char kFill = 0xA5;

 private:
  static constexpr std::int64_t kGuard = 64;
  std::int64_t n_, front_;
  std::vector<T> storage_;
};

/// Elements whose last one ends its allocation, `offset` elements into it: AddressSanitizer sees a read past
/// them.
template <class T>
class Unaligned {
 public:
  Unaligned(const std::vector<T>& values, std::int64_t offset) : storage_(offset), offset_(offset) {
    storage_.insert(storage_.end(), values.begin(), values.end());
    storage_.shrink_to_fit();
  }
  const T* data() const { return storage_.data() + offset_; }

 private:
  std::vector<T> storage_;
  std::int64_t offset_;
};

using Random = std::mt19937_64;

inline std::int64_t random_int(Random& random, std::int64_t lowest, std::int64_t highest) {
  return lowest + static_cast<std::int64_t>(random() % static_cast<std::uint64_t>(highest - lowest + 1));
}

/// n codes of [qmin, qmax].
inline std::vector<std::int8_t> random_codes(Random& random, std::int64_t n, std::int64_t qmin = -128,
                                             std::int64_t qmax = 127) {
  std::vector<std::int8_t> codes(n);
  for (auto& code : codes) code = static_cast<std::int8_t>(random_int(random, qmin, qmax));
  return codes;
}

/// n floats between -magnitude and magnitude.
inline std::vector<float> random_floats(Random& random, std::int64_t n, float magnitude) {
  std::vector<float> values(n);
  for (float& value : values)
    value = magnitude * static_cast<float>(random_int(random, -(1 << 24), 1 << 24)) * 0x1p-24f;
  return values;
}

/// Factors of channels: of either sign, 0, and far from 1.
inline std::vector<float> random_channel_scales(Random& random, std::int64_t n) {
  std::vector<float> scales = random_floats(random, n, 2.0f);
  for (float& scale : scales) {
    constexpr float kSpecial[] = {0.0f, -0.0f, -1.0f, 1e-30f, -1e10f};
    if (random_int(random, 0, 5) == 0) scale = kSpecial[random_int(random, 0, 4)];
  }
  return scales;
}

/// Cuts [0, n) into pieces whose inner ends are multiples of `step`: {first, last} pairs in ascending order.
inline std::vector<std::pair<std::int64_t, std::int64_t>> random_pieces(Random& random, std::int64_t n,
                                                                        std::int64_t step) {
  std::vector<std::pair<std::int64_t, std::int64_t>> pieces;
  for (std::int64_t first = 0; first < n;) {
    const std::int64_t last = std::min(n, first + step * random_int(random, 1, 1 + n / (4 * step)));
    pieces.emplace_back(first, last);
    first = last;
  }
  return pieces;
}

}  // namespace samebits::kernels
