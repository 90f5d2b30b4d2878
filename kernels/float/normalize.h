// layer_norm, group_norm and rms_norm of rows, in the one order of kernels/float/row_sum.h, and the affine
// map of a batch_norm that stands alone (docs/numerics.md §14).
#pragma once

#include "kernels/common/kernel.h"
#include "kernels/float/row_sum.h"

namespace samebits::kernels {

struct NormalizeArgs {
  const float* x;  // rows of n elements
  float* y;        // may be x
  std::int64_t n;  // >= 1
  float eps;
  bool is_rms = false;  // no mean is subtracted
  /// Factors and terms, [weight_rows][n / run]: elements [j run, (j + 1) run) of row r have those of
  /// [r % weight_rows][j]. Null: none.
  const float* weight = nullptr;
  const float* bias = nullptr;
  std::int64_t run = 1, weight_rows = 1;
  float* mean = nullptr;  // of each row; null: not wanted
  float* rstd = nullptr;
};

/// Rows [begin, end). With mean = fl(sum x[i] / n), or 0 for rms, d[i] = fl(x[i] - mean), where sums take
/// squares by fma(d, d, sum): rstd = fl(1 / fl(sqrt(fl(fl(sum d[i]^2 / n) + eps)))), t = fl(d[i] rstd), and
/// y = fma(t, weight, bias), fl(t weight) without a bias, fl(t + bias) without a weight, or t.
/// A NaN result is 0x7FC00000. Does not allocate or throw.
extern const Kernel<void(const NormalizeArgs& args, std::int64_t begin, std::int64_t end)> normalize_rows;

struct ScaleChannelsArgs {
  const float* x;             // [images][channels][inner]
  float* y;                   // may be x
  const float *scale, *bias;  // of each channel
  std::int64_t channels, inner;
};

/// y = fl(fl(x scale[c]) + bias[c]) of planes [begin, end), where plane p has channel p % channels. A NaN
/// result is 0x7FC00000.
extern const Kernel<void(const ScaleChannelsArgs& args, std::int64_t begin, std::int64_t end)> scale_channels;

/// What batch_norm is in eval mode: scale = fl(weight / fl(sqrt(fl(var + eps)))) and
/// bias = fl(fl(-mean scale) + bias) of each channel; without a weight 1, without a bias 0.
struct BatchNormTerms {
  const float *weight, *bias, *mean, *var;
  float eps;
};
void batch_norm_terms(const BatchNormTerms& terms, std::int64_t channels, float* scale, float* bias);

}  // namespace samebits::kernels
