// How the range of an activation follows its batches, and the grid that comes of it. On host and device, so
// that a training step need not read a range back from a GPU.
#pragma once

#include <cstdint>

#include "kernels/common/affine.h"

namespace samebits::kernels {

/// Averages of the batches' ranges; nothing yet where `batches` is 0.
struct MovingAverage {
  float min = 0.0f, max = 0.0f;
  std::int64_t batches = 0;
};

/// One step towards the batch: old + c * (batch - old), in float32, each of the three operations rounded.
SAMEBITS_HOST_DEVICE inline float moving_average_step(float old, float batch, float c) {
  const float difference = batch - old;
  const float part = c * difference;
  return old + part;
}

/// Takes the range of one batch into `average` (the first is copied) and returns the grid that covers the
/// average, as grid_of_range does. 0 < c <= 1; min and max are finite and within ±FLT_MAX / 4. An empty batch
/// (min > max) changes nothing.
SAMEBITS_HOST_DEVICE inline AffineGrid moving_average_update(MovingAverage& average, float batch_min,
                                                             float batch_max, float c, std::int32_t qmin,
                                                             std::int32_t qmax, bool symmetric) {
  if (batch_min <= batch_max) {
    const bool is_first = average.batches == 0;
    average.min = is_first ? batch_min : moving_average_step(average.min, batch_min, c);
    average.max = is_first ? batch_max : moving_average_step(average.max, batch_max, c);
    ++average.batches;
  }
  return grid_of_range(average.min, average.max, qmin, qmax, symmetric);
}

}  // namespace samebits::kernels
