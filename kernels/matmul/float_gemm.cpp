#include "kernels/matmul/float_gemm.h"

#include <algorithm>

namespace samebits::kernels {

void pack_float_b(const float* rows, std::int64_t n, std::int64_t k, float* packed, std::int64_t begin,
                  std::int64_t end) {
  constexpr std::int64_t kLine = 16;  // a cache line of each row is read at a time
  for (std::int64_t block = begin; block < end; block += kColumnBlock) {
    float* const to = packed + block * k;
    const std::int64_t columns = std::min(kColumnBlock, n - block);
    for (std::int64_t first = 0; first < k; first += kLine) {
      const std::int64_t last = std::min(first + kLine, k);
      for (std::int64_t p = first; p < last; ++p)
        for (std::int64_t j = 0; j < kColumnBlock; ++j)
          to[p * kColumnBlock + j] = j < columns ? rows[(block + j) * k + p] : 0.0f;
    }
  }
}

}  // namespace samebits::kernels
