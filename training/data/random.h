// Draws that depend on seed, purpose, epoch and step alone: never on what was drawn before, so that a resumed
// run draws what an uninterrupted one does.
#pragma once

#include <ATen/core/Generator.h>
#include <torch/types.h>

#include <cstdint>

namespace samebits::training {

enum class DrawPurpose : std::uint64_t { kOrder = 1, kAugment = 2 };

/// Where a training step stands. `step` counts from the begin of the run.
struct StepPlace {
  std::uint64_t seed = 0;
  std::int64_t epoch = 0, step = 0;
};

at::Generator generator_at(const StepPlace& place, DrawPurpose purpose);

/// The order of n training examples in one epoch: a permutation of 0..n-1, int64.
torch::Tensor epoch_order(std::int64_t n, std::uint64_t seed, std::int64_t epoch);

}  // namespace samebits::training
