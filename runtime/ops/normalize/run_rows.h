// How evaluators run a kernel on rows.
#pragma once

#include "kernels/float/row_sum.h"
#include "runtime/evaluator.h"

namespace samebits::runtime {

/// The rows of an array of these sizes along dimensions [first, last].
inline kernels::RowShape row_shape(const graph::Sizes& sizes, std::int64_t first, std::int64_t last) {
  kernels::RowShape shape{1, 1};
  for (std::int64_t dim = first; dim < static_cast<std::int64_t>(sizes.size()); ++dim)
    (dim <= last ? shape.n : shape.inner) *= sizes[dim];
  return shape;
}

/// kernel(shape, begin, end) for the rows of the input along dimension `dim`.
template <class Kernel>
void run_rows(const Call& call, std::int64_t dim, Kernel kernel) {
  const kernels::RowShape shape = row_shape(call.x().sizes, dim, dim);
  if (call.x().count() == 0) return;
  call.threads.parallel_for(call.x().count() / shape.n, grain_of(shape.n),
                            [&](std::int64_t begin, std::int64_t end) { kernel(shape, begin, end); });
}

inline const float* data_or_null(const std::vector<float>& values) {
  return values.empty() ? nullptr : values.data();
}

}  // namespace samebits::runtime
