// Quantizes a tensor on the grid that the batches before it made, and observes its range for the next grid,
// with one read of memory: what an activation quantizer does in each training step. See moving_average.h for
// the grid.
#pragma once

#include <cstdint>

#include "kernels/common/kernel.h"
#include "kernels/observe/min_max.h"
#include "kernels/quantize/fake_quantize.h"
#include "kernels/quantize/quantize.h"

namespace samebits::kernels {

/// quantize_run and min_max of [begin, end) at once, for any type of x: codes, mask (or none) and range have
/// the bits of those two. With fold_relu the range is that of max(x, 0), which is what is quantized.
extern const Kernel<MinMax(const QuantizeArgs& args, const AffineGrid& grid, std::int64_t begin,
                           std::int64_t end)>
    observe_quantize_run;

/// fake_quantize_run and min_max of [begin, end) at once. y may be x: the range is that of x before.
extern const Kernel<MinMax(const FakeQuantizeArgs& args, const AffineGrid& grid, std::int64_t begin,
                           std::int64_t end)>
    observe_fake_quantize_run;

/// The range of max(x, 0) from that of x.
SAMEBITS_HOST_DEVICE inline MinMax relu_of(const MinMax& range) {
  if (range.min > range.max) return range;  // no number at all
  return {range.min > 0.0f ? range.min : 0.0f, range.max > 0.0f ? range.max : 0.0f, range.saw_nan};
}

}  // namespace samebits::kernels
