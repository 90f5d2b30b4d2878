// samebits::linear_backward on CUDA, in float32 and in bfloat16 (docs/numerics.md §6). Products are torch's;
// what is around them never looks at a value, and masks touch what was clipped alone.
#include <torch/library.h>

#include "csrc/common/check.h"
#include "csrc/layers/cuda/backward_operands.h"
#include "csrc/layers/linear.h"
#include "csrc/quantize/dequantize.h"
#include "kernels/matmul/cuda/backward_bf16.h"

namespace samebits::ops {
namespace {

using at::Tensor;

constexpr char kOp[] = "linear_backward";

/// One call's sizes and operands.
struct Backward {
  const SavedLayer& saved;
  const WantedGradients& wanted;
  int64_t m, n, k;
  Tensor grad_y;  // [m, n], contiguous
  bool wants_x() const { return wanted[0]; }
  bool wants_weight() const { return wanted[1] || wanted[3]; }  // a channel scale's comes of it
  bool wants_bias() const { return wanted[2]; }
};

/// The gradient as a factor of grad_x and of grad_weight, and the sums of its columns.
struct GradientOperands {
  Tensor for_x, for_weight, sums;
};

GradientOperands gradient_operands(const Backward& b) {
  const WeightGrid& grid = b.saved.weight_grid;
  const bool is_grouped = grid.group_size > 0, to_bf16 = b.saved.backward != BackwardMode::kFloat32;
  const Tensor scale = scale_to_x(b.saved), x_scale = b.saved.x_grid.scale.contiguous();
  const auto bf16 = b.grad_y.options().dtype(at::kBFloat16);
  GradientOperands out;
  if (to_bf16 && b.wants_x()) out.for_x = at::empty({b.m, b.n}, bf16);
  if (to_bf16 && b.wants_weight()) out.for_weight = at::empty({b.m, b.n}, bf16);
  Tensor block_sums;
  if (b.wants_bias()) {
    block_sums = at::empty({kernels::sum_blocks(b.m), b.n}, b.grad_y.options());
    out.sums = at::empty({b.n}, b.grad_y.options());
  }
  check_launch(kOp, kernels::cuda::launch_gradient_operands(
                        {.g = b.grad_y.const_data_ptr<float>(),
                         .m = b.m,
                         .n = b.n,
                         .weight_scale = is_grouped ? nullptr : scale.const_data_ptr<float>(),
                         .has_one_scale = scale.numel() == 1,
                         .x_scale = x_scale.const_data_ptr<float>(),
                         .for_grad_x = out.for_x.defined() ? bf16_data(out.for_x) : nullptr,
                         .for_grad_weight = out.for_weight.defined() ? bf16_data(out.for_weight) : nullptr,
                         .block_sums = block_sums.defined() ? block_sums.mutable_data_ptr<float>() : nullptr,
                         .sums = out.sums.defined() ? out.sums.mutable_data_ptr<float>() : nullptr},
                        current_stream()));
  return out;
}

/// The codes of x minus its zero point, [m, k].
Tensor bf16_input(const Backward& b) {
  const Tensor codes = b.saved.x_codes.contiguous(), zero_point = b.saved.x_grid.zero_point.contiguous();
  const Tensor factor = at::empty({b.m, b.k}, codes.options().dtype(at::kBFloat16));
  check_launch(kOp, kernels::cuda::launch_codes_to_bf16(codes.const_data_ptr<int8_t>(), codes.numel(),
                                                        zero_point.const_data_ptr<int32_t>(),
                                                        bf16_data(factor), current_stream()));
  return factor;
}

LayerGradients backward_f32(const Backward& b) {
  LayerGradients gradients;
  if (b.wants_bias()) gradients.bias = gradient_operands(b).sums;
  if (!b.wants_x() && !b.wants_weight()) return gradients;
  const WeightOperand weight = real_weight_to_x(b.saved);
  if (b.wants_x())
    gradients.x =
        cleared(kOp, at::mm(b.grad_y, weight.factor), 1, b.saved.clip_mask).view(b.saved.x_codes.sizes());
  if (b.wants_weight()) {
    const Tensor x =
        dequantize(b.saved.x_codes, b.saved.x_grid.scale, b.saved.x_grid.zero_point).view({b.m, b.k});
    finish_weight(kOp, b.saved, b.wanted, weight, at::mm(b.grad_y.t(), x), gradients);
  }
  return gradients;
}

LayerGradients backward_bf16(const Backward& b) {
  LayerGradients gradients;
  const GradientOperands gradient = gradient_operands(b);
  gradients.bias = gradient.sums;
  if (!b.wants_x() && !b.wants_weight()) return gradients;
  const WeightOperand weight = bf16_weight(kOp, b.saved);
  if (b.wants_x())
    gradients.x = cleared(kOp, at::mm(gradient.for_x, weight.factor, at::kFloat), 1, b.saved.clip_mask)
                      .view(b.saved.x_codes.sizes());
  if (b.wants_weight())
    finish_weight(kOp, b.saved, b.wanted, weight, at::mm(gradient.for_weight.t(), bf16_input(b), at::kFloat),
                  gradients);
  return gradients;
}

LayerGradients linear_backward_cuda(const LinearBackwardCall& call) {
  const SavedLayer& saved = call.saved;
  TORCH_CHECK(saved.backward != BackwardMode::kInt8,
              "[linear_backward] backward: expected f32 or bf16 on CUDA, got \"int8\"");
  check_linear_backward(call);
  const c10::cuda::CUDAGuard guard(call.grad_y.device());
  const c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
  const int64_t n = saved.weight.size(0), k = saved.weight.size(1), m = n == 0 ? 0 : call.grad_y.numel() / n;
  const Backward b{saved, call.wanted, m, n, k, call.grad_y.contiguous().reshape({m, n})};
  return empty_where_undefined(saved.backward == BackwardMode::kFloat32 ? backward_f32(b) : backward_bf16(b),
                               call.grad_y);
}

}  // namespace

TORCH_LIBRARY_IMPL(samebits, CUDA, library) {
  library.impl("linear_backward", unpacked<linear_backward_cuda>);
}

}  // namespace samebits::ops
