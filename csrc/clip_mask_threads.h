// How threads share a call that writes a clip mask: by whole bytes of it, so that every `begin` is a multiple
// of 8.
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>

namespace samebits::ops {

/// Calls `run(begin, end)` for pieces of [0, n) on all threads. Returns whether any call returned true.
template <class Run>
bool any_in_mask_bytes(int64_t n, Run run) {
  std::atomic<bool> any = false;
  at::parallel_for(0, (n + 7) / 8, at::internal::GRAIN_SIZE / 8, [&](int64_t first, int64_t last) {
    if (run(8 * first, std::min(8 * last, n))) any = true;
  });
  return any.load();
}

}  // namespace samebits::ops
