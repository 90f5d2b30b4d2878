// torch operators over histograms of values: counts that grow over batches, and the ranges taken from them.
#pragma once

#include <ATen/ATen.h>

#include <tuple>

#include "kernels/observe/histogram.h"

namespace samebits::ops {

/// Counts the elements of x (float32, bfloat16 or float16) into `counts` (int64 [2048]) over `range` (float32
/// [2]: low, high; low >= high: nothing counted yet), both written in place. A range that is too narrow is
/// widened first and the counts spread over its bins, their sum kept. Returns saw_nan: NaNs are in no bin;
/// an infinity in x is an error.
at::Tensor observe_histogram(const at::Tensor& x, const at::Tensor& counts, const at::Tensor& range);

/// float32 tensors of no dimensions: the range that leaves out the fraction 1 - p of the values on either
/// side. 0.5 <= p <= 1.
std::tuple<at::Tensor, at::Tensor> percentile_range(const at::Tensor& counts, const at::Tensor& range,
                                                    double p);

/// The range whose grid (grid_of_range) has the smallest mean squared error over the histogram, and that
/// error, float64: min, max, mean_squared_error (kernels/observe/histogram.h, least_error_range).
std::tuple<at::Tensor, at::Tensor, at::Tensor> least_error_range(const at::Tensor& counts,
                                                                 const at::Tensor& range, int64_t qmin,
                                                                 int64_t qmax, bool symmetric);

/// What shapes and dtypes tell of observe_histogram. Throws c10::Error.
void check_observe_histogram(const at::Tensor& x, const at::Tensor& counts, const at::Tensor& range);

/// The histogram of CPU tensors, wide enough for values from `low` to `high` (none where low > high). Throws
/// c10::Error where these are not finite.
kernels::Histogram widened_histogram(const at::Tensor& counts, const at::Tensor& range, float low,
                                     float high);

}  // namespace samebits::ops
