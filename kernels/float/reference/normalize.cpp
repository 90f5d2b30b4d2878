// The contract of kernels/float/normalize.h as plain loops.
#include "kernels/float/reference/normalize.h"

#include <cmath>

#include "kernels/float/reference/function.h"

namespace samebits::kernels::reference {
namespace {

using Scalar = Formulas<ScalarOps>;

float affine(float t, const float* weight, const float* bias) {
  if (weight != nullptr && bias != nullptr) return std::fma(t, *weight, *bias);
  if (weight != nullptr) return t * *weight;
  return bias != nullptr ? t + *bias : t;
}

void normalize_row(const NormalizeArgs& args, std::int64_t row) {
  const float* const x = args.x + row * args.n;
  const float size = static_cast<float>(args.n);
  const float mean =
      args.is_rms ? 0.0f : row_sum(args.n, [&](float lane, std::int64_t i) { return lane + x[i]; }) / size;
  const float squares = row_sum(args.n, [&](float lane, std::int64_t i) {
    const float d = x[i] - mean;
    return std::fma(d, d, lane);
  });
  const float rstd = 1.0f / std::sqrt(squares / size + args.eps);
  if (args.mean != nullptr) args.mean[row] = Scalar::number_or_nan(mean, mean);
  if (args.rstd != nullptr) args.rstd[row] = Scalar::number_or_nan(rstd, rstd);
  const std::int64_t weights = row % args.weight_rows * (args.n / args.run);
  for (std::int64_t i = 0; i < args.n; ++i) {
    const std::int64_t j = weights + i / args.run;
    const float y = affine((x[i] - mean) * rstd, args.weight == nullptr ? nullptr : args.weight + j,
                           args.bias == nullptr ? nullptr : args.bias + j);
    args.y[row * args.n + i] = Scalar::number_or_nan(y, y);
  }
}

}  // namespace

void normalize_rows(const NormalizeArgs& args, std::int64_t begin, std::int64_t end) {
  for (std::int64_t row = begin; row < end; ++row) normalize_row(args, row);
}

void scale_channels(const ScaleChannelsArgs& args, std::int64_t begin, std::int64_t end) {
  for (std::int64_t i = begin * args.inner; i < end * args.inner; ++i) {
    const std::int64_t channel = i / args.inner % args.channels;
    const float product = args.x[i] * args.scale[channel], y = product + args.bias[channel];
    args.y[i] = Scalar::number_or_nan(y, y);
  }
}

}  // namespace samebits::kernels::reference
