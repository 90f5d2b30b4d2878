// softmax and log_softmax of rows, in the one order of kernels/float/row_sum.h (docs/numerics.md §14).
#pragma once

#include "kernels/common/kernel.h"
#include "kernels/float/row_sum.h"

namespace samebits::kernels {

struct SoftmaxArgs {
  const float* x;
  float* y;  // may be x
  RowShape shape;
  bool is_log = false;
};

/// Rows [begin, end). With m = the largest element, e[i] = exp(fl(x[i] - m)) and t = sum e[i]:
/// y[i] = fl(e[i] / t), or with is_log fl(fl(x[i] - m) - log(t)). A NaN or +infinity in a row, or nothing but
/// -infinity, makes the row NaN. Does not allocate or throw.
extern const Kernel<void(const SoftmaxArgs& args, std::int64_t begin, std::int64_t end)> softmax;

}  // namespace samebits::kernels
