// How threads share a matrix product: a region of the output each (gemm_region, gemm_bf16_region), none where
// there is too little to share.
#pragma once

#include <ATen/Parallel.h>

namespace samebits::ops {

/// Below this many products waking a thread costs more than it saves.
constexpr int64_t kLeastProductsToShare = 1 << 17;

/// Calls run(part, parts) for every part, on as many threads.
template <class Run>
void for_each_part(int64_t products, const Run& run) {
  const int64_t parts = products < kLeastProductsToShare ? 1 : at::get_num_threads();
  at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t part = begin; part < end; ++part) run(part, parts);
  });
}

}  // namespace samebits::ops
