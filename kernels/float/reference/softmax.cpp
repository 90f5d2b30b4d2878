// The contract of kernels/float/softmax.h as plain loops.
#include "kernels/float/reference/softmax.h"

#include "kernels/float/reference/function.h"

namespace samebits::kernels::reference {
namespace {

using Scalar = Formulas<ScalarOps>;

void softmax_row(const SoftmaxArgs& args, const float* x, float* y) {
  const auto [n, inner] = args.shape;
  float largest = -Scalar::kInfinity;
  for (std::int64_t i = 0; i < n; ++i) largest = x[i * inner] > largest ? x[i * inner] : largest;
  const float total =
      row_sum(n, [&](float lane, std::int64_t i) { return lane + Scalar::exp(x[i * inner] - largest); });
  const float log_total = Scalar::log(total);
  for (std::int64_t i = 0; i < n; ++i) {
    const float centered = x[i * inner] - largest;
    const float value = args.is_log ? centered - log_total : Scalar::exp(centered) / total;
    y[i * inner] = Scalar::number_or_nan(total, value);
  }
}

}  // namespace

void softmax(const SoftmaxArgs& args, std::int64_t begin, std::int64_t end) {
  for (std::int64_t row = begin; row < end; ++row) {
    const std::int64_t first = args.shape.begin(row);
    softmax_row(args, args.x + first, args.y + first);
  }
}

}  // namespace samebits::kernels::reference
