// How threads share a call that writes a clip mask: by whole bytes of it, so that every `begin` is a multiple
// of 8.
#pragma once

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>

namespace samebits::ops {

/// Calls `run(begin, end)` for pieces of [0, n) on all threads.
template <class Run>
void for_each_mask_bytes(int64_t n, const Run& run) {
  at::parallel_for(0, (n + 7) / 8, at::internal::GRAIN_SIZE / 8,
                   [&](int64_t first, int64_t last) { run(8 * first, std::min(8 * last, n)); });
}

/// The same. Returns whether any call returned true.
template <class Run>
bool any_in_mask_bytes(int64_t n, const Run& run) {
  std::atomic<bool> any = false;
  for_each_mask_bytes(n, [&](int64_t begin, int64_t end) {
    if (run(begin, end)) any = true;
  });
  return any.load();
}

}  // namespace samebits::ops
