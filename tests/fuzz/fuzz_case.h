// What the fuzz targets share: cases decoded from the fuzzer's bytes, arrays whose ends AddressSanitizer
// watches to the byte, and comparison by bits that ends the process at the first difference.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <new>
#include <random>
#include <span>
#include <string>
#include <type_traits>
#include <vector>

#include "kernels/common/grid_table.h"
#include "kernels/common/kernel.h"

namespace samebits::fuzz {

/// The fuzzer's bytes as numbers; zeros when they are used up. Arrays are filled by a generator that the
/// bytes seed, so that a few bytes make a whole case.
class Source {
 public:
  Source(const std::uint8_t* data, std::size_t size) : data_(data), left_(size) { random_.seed(take(4)); }

  std::int64_t between(std::int64_t lowest, std::int64_t highest) {
    const auto count = static_cast<std::uint64_t>(highest - lowest) + 1;
    return lowest + static_cast<std::int64_t>(take(count <= 256 ? 1 : 4) % count);
  }
  bool flag() { return between(0, 1) != 0; }
  /// Mostly small, now and then up to `highest`: sizes on either side of every vector length.
  std::int64_t size(std::int64_t lowest, std::int64_t usual, std::int64_t highest) {
    return between(0, 7) == 0 ? between(lowest, highest) : between(lowest, usual);
  }
  template <class T, std::size_t kCount>
  const T& choice(const T (&list)[kCount]) {
    return list[between(0, std::ssize(list) - 1)];
  }

  /// From the generator.
  std::uint32_t word() { return static_cast<std::uint32_t>(random_()); }
  std::int32_t drawn(std::int32_t lowest, std::int32_t highest) {
    return lowest + static_cast<std::int32_t>(word() % static_cast<std::uint32_t>(highest - lowest + 1));
  }

 private:
  std::uint64_t take(int bytes) {
    std::uint64_t value = 0;
    for (; bytes > 0; --bytes) {
      value <<= 8;
      if (left_ == 0) continue;
      value |= *data_++;
      --left_;
    }
    return value;
  }
  const std::uint8_t* data_;
  std::size_t left_;
  std::mt19937 random_;
};

/// n elements in a heap block that ends with them and begins `offset` elements before them, all bytes 0xA5.
template <class T>
class Block {
 public:
  explicit Block(std::int64_t n, std::int64_t offset = 0)
      : n_(n), offset_(offset), bytes_(static_cast<std::size_t>(n + offset) * sizeof(T)) {
    data_ = static_cast<T*>(::operator new (bytes_, std::align_val_t{64}));
    std::memset(static_cast<void*>(data_), 0xA5, bytes_);
  }
  ~Block() { ::operator delete (data_, std::align_val_t{64}); }
  Block(const Block& other) : Block(other.n_, other.offset_) { std::memcpy(data_, other.data_, bytes_); }
  Block& operator=(const Block&) = delete;

  T* data() { return data_ + offset_; }
  const T* data() const { return data_ + offset_; }
  T& operator[](std::int64_t i) { return data()[i]; }
  const T& operator[](std::int64_t i) const { return data()[i]; }
  std::int64_t size() const { return n_; }
  /// With what stands before the first element.
  std::span<const T> whole() const { return {data_, bytes_ / sizeof(T)}; }

 private:
  std::int64_t n_, offset_;
  std::size_t bytes_;
  T* data_;
};

[[noreturn]] inline void report(const std::string& text) {
  std::fprintf(stderr, "difference: %s\n", text.c_str());
  std::abort();
}
inline void expect(bool holds, const std::string& what) {
  if (!holds) report(what);
}

template <class T>
bool same_bits(const T& a, const T& b) {
  return std::memcmp(&a, &b, sizeof(T)) == 0;
}
/// For results whose NaN has no defined bits.
template <class T>
bool same_real(const T& a, const T& b) {
  return same_bits(a, b) || (a != a && b != b);
}

template <class T, class Same = bool (*)(const T&, const T&)>
void expect_same(const std::string& what, const Block<T>& got, const Block<T>& expected,
                 Same same = same_bits<T>) {
  for (std::size_t i = 0; i < expected.whole().size(); ++i)
    expect(same(got.whole()[i], expected.whole()[i]), what + ", element " + std::to_string(i));
}

/// The implementations that run here, without the reference.
template <class Function>
std::vector<kernels::Implementation<Function>> usable(const kernels::Kernel<Function>& kernel) {
  const auto list = kernel.implementations();
  std::vector<kernels::Implementation<Function>> entries;
  for (const auto& entry : list.first(list.size() - 1))
    if (entry.why_not().empty()) entries.push_back(entry);
  return entries;
}

struct Piece {
  std::int64_t begin, end;
};
/// [begin, end), which may be empty, in up to four pieces whose inner ends are multiples of `step`.
inline std::vector<Piece> pieces(Source& source, std::int64_t begin, std::int64_t end, std::int64_t step) {
  std::vector<Piece> list;
  while (begin < end && list.size() < 3) {
    const std::int64_t cut = (begin + source.between(1, end - begin)) / step * step;
    if (cut <= begin) break;
    list.push_back({begin, std::min(cut, end)});
    begin = list.back().end;
  }
  list.push_back({begin, end});
  return list;
}

/// A scale that grids may have: usual ones, powers of two, any pattern from kMinScale on.
inline float any_scale(Source& source) {
  switch (source.drawn(0, 7)) {
    case 0: {
      const std::uint32_t exponent = static_cast<std::uint32_t>(source.drawn(1, 254));
      return std::bit_cast<float>(exponent << 23 | (source.word() & 0x7FFFFFu));
    }
    case 1:
      return std::ldexp(1.0f, source.drawn(-126, 127));
    default:
      return static_cast<float>(source.drawn(1, 1 << 20)) * 0x1p-20f;
  }
}

/// A float that is hard to quantize by `scale`: ties and their neighbours, any pattern, values that are
/// special.
inline float hard_float(Source& source, float scale) {
  constexpr float kSpecial[] = {0.0f, -0.0f, INFINITY, -INFINITY, NAN, 3.4028235e38f, 1e-45f, -1e-39f};
  const std::uint32_t kind = source.word() % 16;
  if (kind == 0) return std::bit_cast<float>(source.word());
  if (kind == 1) return kSpecial[source.word() % 8];
  const float steps = static_cast<float>(source.drawn(-300, 300));
  if (kind < 6) {
    const float tie = (steps + 0.5f) * scale;
    const auto near = std::bit_cast<std::uint32_t>(tie) + static_cast<std::uint32_t>(source.drawn(-2, 2));
    return std::bit_cast<float>(near);
  }
  return steps * scale * static_cast<float>(source.drawn(0, 1 << 20)) * 0x1p-20f;
}

/// n finite floats within ±magnitude.
inline Block<float> plain_floats(Source& source, std::int64_t n, float magnitude) {
  Block<float> values(n, source.between(0, 3));
  for (std::int64_t i = 0; i < n; ++i)
    values[i] = magnitude * static_cast<float>(source.drawn(-(1 << 20), 1 << 20)) * 0x1p-20f;
  return values;
}

inline Block<std::int8_t> codes(Source& source, std::int64_t n, std::int32_t qmin = -128,
                                std::int32_t qmax = 127) {
  const std::int64_t offset = source.between(0, 7);
  const bool only_ends = source.between(0, 7) == 0;
  Block<std::int8_t> values(n, offset);
  for (std::int64_t i = 0; i < n; ++i)
    values[i] = static_cast<std::int8_t>(only_ends ? (source.word() & 1) != 0 ? qmin : qmax
                                                   : source.drawn(qmin, qmax));
  return values;
}

}  // namespace samebits::fuzz
