// The range of an activation whose quantized distribution diverges least from its own. S. Migacz, 8-bit
// Inference with TensorRT, GTC 2017.
#pragma once

#include "kernels/observe/histogram.h"

namespace samebits::quant {

/// [-t, t], or [0, t] and [-t, 0] where the histogram has one sign, for the threshold t among the upper edges
/// of 1024 equal bins of |x|, up to the largest magnitude, that has the least Kullback-Leibler divergence: of
/// the values below t, all above it added to the last bin, from the same values when `levels` equal runs of
/// bins each spread their sum evenly over their bins that are not empty. levels are half the codes where both
/// signs occur, else all. The last bin, where it has only what was added, counts 1e-4 among the latter: else
/// no gap could be cut off. The first of equals. Throws std::invalid_argument on an empty histogram.
kernels::HistogramRange kl_range(const kernels::Histogram& histogram, std::int32_t qmin, std::int32_t qmax);

}  // namespace samebits::quant
