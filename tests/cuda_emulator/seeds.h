// The seeds that tests run kernels with. SAMEBITS_CUDA_SEED=N runs that one alone, to see an error again.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

#ifdef __CUDACC__
#include "tests/cuda_card/card.h"
#else
#include "tests/cuda_emulator/emulator.h"
#endif

namespace samebits::cuda_emulator {

/// Calls body() under each of `count` seeds; a failure names the seed.
template <class Body>
void for_each_seed(int count, Body body) {
  const char* const only = std::getenv("SAMEBITS_CUDA_SEED");
  const std::uint64_t first = only == nullptr ? 1 : std::stoull(only);
  for (std::uint64_t seed = first; seed < first + (only == nullptr ? static_cast<unsigned>(count) : 1);
       ++seed) {
    SCOPED_TRACE("SAMEBITS_CUDA_SEED=" + std::to_string(seed));
    set_seed(seed);
    body();
    if (testing::Test::HasFatalFailure()) return;
  }
}

template <class Body>
void for_each_seed(Body body) {
  for_each_seed(10, body);
}

}  // namespace samebits::cuda_emulator
