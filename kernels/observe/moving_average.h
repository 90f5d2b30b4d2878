// How the range of an activation follows its batches, and the grid that comes of it. On host and device, so
// that a training step need not read a range back from a GPU.
#pragma once

#include <cstdint>

#include "kernels/common/affine.h"

namespace samebits::kernels {

/// One step towards the batch: old + c * (batch - old), in float32, each of the three operations rounded.
SAMEBITS_HOST_DEVICE inline float moving_average_step(float old, float batch, float c) {
  const float difference = batch - old;
  const float part = c * difference;
  return old + part;
}

/// How the grid of an activation follows its batches.
struct GridRule {
  float averaging = 0.01f;  // of the newest batch, in (0, 1]
  std::int32_t qmin = -128, qmax = 127;
  bool symmetric = false;
  bool keeps_extremes = false;  // the range of all batches instead of an average
};

/// The state of one activation, one element each, on the host or on the device.
struct GridState {
  float *min, *max;       // the range so far; unread where batches is 0
  std::int64_t* batches;  // how many it holds
  float* scale;           // the grid that covers it
  std::int32_t* zero_point;
};

/// The largest end of a range that an average takes: differences of two such ends are finite.
constexpr float kLargestEnd = 0x1.fffffep+125f;

/// Takes the range of one batch into the state. An empty batch (min > max) changes nothing. Returns false,
/// and changes nothing, when an end is beyond ±kLargestEnd.
SAMEBITS_HOST_DEVICE inline bool move_grid(const GridState& state, float batch_min, float batch_max,
                                           const GridRule& rule) {
  if (!(batch_min <= batch_max)) return true;
  if (batch_min < -kLargestEnd || batch_max > kLargestEnd) return false;
  if (*state.batches > 0 && rule.keeps_extremes) {
    batch_min = *state.min < batch_min ? *state.min : batch_min;
    batch_max = *state.max > batch_max ? *state.max : batch_max;
  } else if (*state.batches > 0) {
    batch_min = moving_average_step(*state.min, batch_min, rule.averaging);
    batch_max = moving_average_step(*state.max, batch_max, rule.averaging);
  }
  const AffineGrid grid = grid_of_range(batch_min, batch_max, rule.qmin, rule.qmax, rule.symmetric);
  *state.min = batch_min;
  *state.max = batch_max;
  *state.batches += 1;
  *state.scale = grid.scale;
  *state.zero_point = grid.zero_point;
  return true;
}

}  // namespace samebits::kernels
