// What all implementations of gemm_int8 share: the packed layout, and how threads share a product.
#include "kernels/matmul/gemm_int8.h"

#include <algorithm>
#include <cstring>

namespace samebits::kernels {
namespace {

constexpr std::int64_t kQuadsAtOnce = 16;                // a cache line of each row
constexpr std::int64_t kRowUnit = 32, kColumnUnit = 64;  // what one tile of the fast implementations computes

/// Where part `part` begins when `size` is cut into whole units.
std::int64_t cut(std::int64_t size, std::int64_t unit, std::int64_t part, std::int64_t parts) {
  const std::int64_t units = (size + unit - 1) / unit;
  return std::min(size, units * part / parts * unit);
}

}  // namespace

void pack_gemm_b(const std::int8_t* codes, std::int64_t /*n*/, std::int64_t k, std::int8_t* packed,
                 std::int64_t begin, std::int64_t end) {
  const std::int64_t whole_quads = k / 4, tail = k % 4;
  for (std::int64_t block = begin; block < end; block += kColumnBlock) {
    std::int8_t* to = packed + packed_index(block, 0, k);
    const std::int64_t rows = std::min(kColumnBlock, end - block);
    if (rows < kColumnBlock) std::memset(to, 0, kColumnBlock * padded_depth(k));
    // Some quads of all rows at a time, so that what is written stays in the first cache.
    for (std::int64_t first = 0; first < whole_quads; first += kQuadsAtOnce) {
      const std::int64_t last = std::min(first + kQuadsAtOnce, whole_quads);
      for (std::int64_t row = 0; row < rows; ++row) {
        const std::int8_t* from = codes + (block + row) * k;
        for (std::int64_t quad = first; quad < last; ++quad)
          std::memcpy(to + quad * 4 * kColumnBlock + row * 4, from + quad * 4, 4);
      }
    }
    std::int8_t* rest = to + whole_quads * 4 * kColumnBlock;
    std::memset(rest, 0, (padded_depth(k) - whole_quads * 4) * kColumnBlock);
    for (std::int64_t row = 0; row < rows && tail > 0; ++row)
      std::memcpy(rest + row * 4, codes + (block + row) * k + whole_quads * 4, tail);
  }
}

GemmRegion gemm_region(std::int64_t m, std::int64_t n, std::int64_t part, std::int64_t parts) {
  if (m >= kRowUnit * parts) return {cut(m, kRowUnit, part, parts), cut(m, kRowUnit, part + 1, parts), 0, n};
  const std::int64_t unit = n >= kColumnUnit * parts ? kColumnUnit : kColumnBlock;
  return {0, m, cut(n, unit, part, parts), cut(n, unit, part + 1, parts)};
}

}  // namespace samebits::kernels
