// How many bytes of tensors are alive, measured by standing between LibTorch and its CPU allocator.
#pragma once

#include <cstdint>

namespace samebits::benchmark {

/// Installs the counting allocator. Once, before the first tensor of interest.
void count_memory();

/// Bytes allocated and not yet freed since count_memory().
std::int64_t live_bytes();

/// The largest live_bytes() since the last call of reset_peak().
std::int64_t peak_bytes();
void reset_peak();

}  // namespace samebits::benchmark
