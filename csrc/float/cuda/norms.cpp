// The norms on CUDA. The terms of a batch norm are made by ATen's operators, one a rounding, so that nothing
// waits.
#include "csrc/float/norms.h"

#include <torch/library.h>

#include <limits>

#include "csrc/common/cuda/launch.h"
#include "csrc/float/norm_arguments.h"
#include "kernels/float/cuda/normalize.h"

namespace samebits::ops {
namespace {

using at::Tensor;
using Tensors = std::tuple<Tensor, Tensor, Tensor>;

/// The meta kernel's checks and shapes, as tensors on the device of x.
template <class Meta>
Tensors empty_results(const Tensor& x, Meta meta) {
  const auto [y, mean, rstd] = meta(x.to(at::kMeta));
  const auto made = [&](const Tensor& like) { return at::empty(like.sizes(), x.options()); };
  return {made(y), made(mean), made(rstd)};
}

OptionalTensor on_meta(const OptionalTensor& any) {
  return any.has_value() ? OptionalTensor(any->to(at::kMeta)) : std::nullopt;
}

Tensors layer_norm_cuda(const Tensor& x_any, at::IntArrayRef normalized_shape,
                        const OptionalTensor& weight_any, const OptionalTensor& bias_any, double eps) {
  const c10::cuda::CUDAGuard guard(x_any.device());
  const Tensors result = empty_results(x_any, [&](const Tensor& x) {
    return ops::native_layer_norm(x, normalized_shape, on_meta(weight_any), on_meta(bias_any), eps);
  });
  const auto& [y, mean, rstd] = result;
  if (y.numel() == 0) return result;
  const Tensor x = x_any.contiguous();
  const Parameter weight(weight_any), bias(bias_any);
  const kernels::NormalizeArgs args{.x = x.const_data_ptr<float>(),
                                    .y = y.mutable_data_ptr<float>(),
                                    .n = c10::multiply_integers(normalized_shape),
                                    .eps = static_cast<float>(eps),
                                    .weight = weight.data,
                                    .bias = bias.data,
                                    .mean = mean.mutable_data_ptr<float>(),
                                    .rstd = rstd.mutable_data_ptr<float>()};
  check_launch("layer_norm",
               kernels::cuda::launch_normalize_rows(args, x.numel() / args.n, current_stream()));
  return result;
}

Tensors group_norm_cuda(const Tensor& x_any, int64_t num_groups, const OptionalTensor& weight_any,
                        const OptionalTensor& bias_any, double eps) {
  const c10::cuda::CUDAGuard guard(x_any.device());
  const Tensors result = empty_results(x_any, [&](const Tensor& x) {
    return ops::native_group_norm(x, num_groups, on_meta(weight_any), on_meta(bias_any), eps);
  });
  const auto& [y, mean, rstd] = result;
  if (y.numel() == 0) return result;
  const Tensor x = x_any.contiguous();
  const Parameter weight(weight_any), bias(bias_any);
  const int64_t rows = x.size(0) * num_groups;
  const kernels::NormalizeArgs args{.x = x.const_data_ptr<float>(),
                                    .y = y.mutable_data_ptr<float>(),
                                    .n = x.numel() / rows,
                                    .eps = static_cast<float>(eps),
                                    .weight = weight.data,
                                    .bias = bias.data,
                                    .run = x.numel() / (x.size(0) * x.size(1)),
                                    .weight_rows = num_groups,
                                    .mean = mean.mutable_data_ptr<float>(),
                                    .rstd = rstd.mutable_data_ptr<float>()};
  check_launch("group_norm", kernels::cuda::launch_normalize_rows(args, rows, current_stream()));
  return result;
}

Tensor rms_norm_cuda(const Tensor& x_any, at::IntArrayRef normalized_shape, const OptionalTensor& weight_any,
                     std::optional<double> eps) {
  const c10::cuda::CUDAGuard guard(x_any.device());
  ops::rms_norm(x_any.to(at::kMeta), normalized_shape, on_meta(weight_any), eps);
  const Tensor x = x_any.contiguous(), y = at::empty_like(x);
  if (y.numel() == 0) return y;
  const Parameter weight(weight_any);
  const kernels::NormalizeArgs args{
      .x = x.const_data_ptr<float>(),
      .y = y.mutable_data_ptr<float>(),
      .n = c10::multiply_integers(normalized_shape),
      .eps = static_cast<float>(eps.value_or(double{std::numeric_limits<float>::epsilon()})),
      .is_rms = true,
      .weight = weight.data};
  check_launch("rms_norm", kernels::cuda::launch_normalize_rows(args, x.numel() / args.n, current_stream()));
  return y;
}

Tensor eval_batch_norm_cuda(const Tensor& x_any, const OptionalTensor& weight, const OptionalTensor& bias,
                            const Tensor& running_mean, const Tensor& running_var, double eps) {
  const c10::cuda::CUDAGuard guard(x_any.device());
  ops::eval_batch_norm(x_any.to(at::kMeta), on_meta(weight), on_meta(bias), running_mean.to(at::kMeta),
                       running_var.to(at::kMeta), eps);
  const Tensor x = x_any.contiguous(), y = at::empty_like(x);
  if (y.numel() == 0) return y;
  const Tensor deviation = (running_var + eps).sqrt();
  const Tensor scale = weight.has_value() ? *weight / deviation : at::ones_like(deviation) / deviation;
  const Tensor product = -running_mean * scale;
  const Tensor shift = product + (bias.has_value() ? *bias : at::zeros_like(product));
  const int64_t planes = x.size(0) * x.size(1);
  const kernels::ScaleChannelsArgs args{x.const_data_ptr<float>(),
                                        y.mutable_data_ptr<float>(),
                                        scale.const_data_ptr<float>(),
                                        shift.const_data_ptr<float>(),
                                        x.size(1),
                                        x.numel() / planes};
  check_launch("eval_batch_norm", kernels::cuda::launch_scale_channels(args, planes, current_stream()));
  return y;
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CUDA, library) {
  library.impl("native_layer_norm", layer_norm_cuda);
  library.impl("native_group_norm", group_norm_cuda);
  library.impl("rms_norm", rms_norm_cuda);
  library.impl("eval_batch_norm", eval_batch_norm_cuda);
}

}  // namespace samebits::ops
