// The contract of kernels/float/reduce.h as plain loops.
#include "kernels/float/reference/reduce.h"

#include <cmath>

#include "kernels/float/reference/function.h"

namespace samebits::kernels::reference {

using Scalar = Formulas<ScalarOps>;

void sum_rows(const ReduceArgs& args, std::int64_t begin, std::int64_t end) {
  for (std::int64_t row = begin; row < end; ++row) {
    const float* const x = args.x + args.shape.begin(row);
    const float sum =
        row_sum(args.shape.n, [&](float lane, std::int64_t i) { return lane + x[i * args.shape.inner]; });
    const float y = args.is_mean ? sum / static_cast<float>(args.shape.n) : sum;
    args.y[row] = Scalar::number_or_nan(y, y);
  }
}

void max_rows(const ReduceArgs& args, std::int64_t begin, std::int64_t end) {
  for (std::int64_t row = begin; row < end; ++row) {
    const float* const x = args.x + args.shape.begin(row);
    float largest = x[0];
    for (std::int64_t i = 1; i < args.shape.n && !std::isnan(largest); ++i) {
      const float value = x[i * args.shape.inner];
      if (value > largest || std::isnan(value)) largest = value;
    }
    args.y[row] = Scalar::number_or_nan(largest, largest + 0.0f);
  }
}

}  // namespace samebits::kernels::reference
