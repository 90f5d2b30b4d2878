#include "csrc/layers/cuda/backward_operands.h"

#include "csrc/quantize/fake_quantize.h"
#include "kernels/matmul/cuda/backward_bf16.h"
#include "kernels/matmul/cuda/encode_rows.h"

namespace samebits::ops {

using at::Tensor;

Tensor cleared(const char* op, const Tensor& grad_any, int64_t rows, const Tensor& clip_mask) {
  const Tensor grad = grad_any.contiguous();
  check_launch(op, kernels::cuda::launch_clear_clipped(
                       grad.mutable_data_ptr<float>(), rows, rows == 0 ? 0 : grad.numel() / rows,
                       clip_mask.const_data_ptr<uint8_t>(), current_stream()));
  return grad;
}

namespace {

/// On its grids, in float32.
WeightOperand real_weight(const SavedLayer& saved) {
  const WeightGrid& grid = saved.weight_grid;
  const Tensor zero_point = grid.zero_point.value_or(Tensor()).defined()
                                ? *grid.zero_point
                                : at::zeros_like(grid.scale, grid.scale.options().dtype(at::kInt));
  const auto [weight, clip_mask, saw_nan] =
      fake_quantize(saved.weight, grid.scale, zero_point, grid.qmin, grid.qmax, 0, grid.group_size);
  return {weight, clip_mask, 1};
}

/// A value a channel, for a product with a weight or its gradient.
Tensor by_channel(const Tensor& values, const Tensor& weight) {
  std::vector<int64_t> sizes(static_cast<size_t>(weight.dim()), 1);
  sizes[0] = values.numel();
  return values.view(sizes);
}

}  // namespace

WeightOperand real_weight_to_x(const SavedLayer& saved) {
  WeightOperand operand = real_weight(saved);
  if (saved.channel_scale.has_value())
    operand.factor = operand.factor * by_channel(*saved.channel_scale, operand.factor);
  return operand;
}

WeightOperand bf16_weight(const char* op, const SavedLayer& saved) {
  const WeightGrid& grid = saved.weight_grid;
  if (grid.group_size > 0) {
    WeightOperand operand = real_weight_to_x(saved);
    operand.factor = operand.factor.to(at::kBFloat16);
    return operand;
  }
  const Tensor weight = saved.weight.contiguous(), scale = grid.scale.contiguous();
  const Tensor zero_point = grid.zero_point.has_value() ? grid.zero_point->contiguous() : Tensor();
  const int64_t rows = weight.size(0), row_length = rows == 0 ? 0 : weight.numel() / rows;
  const WeightOperand operand{at::empty(weight.sizes(), weight.options().dtype(at::kBFloat16)),
                              at::empty({rows, (row_length + 7) / 8}, weight.options().dtype(at::kByte)),
                              rows};
  check_launch(op, kernels::cuda::launch_encode_rows(
                       {.weight = weight.const_data_ptr<float>(),
                        .rows = rows,
                        .row_length = row_length,
                        .qmin = static_cast<int32_t>(grid.qmin),
                        .qmax = static_cast<int32_t>(grid.qmax),
                        .scale = scale.mutable_data_ptr<float>(),
                        .zero_point = zero_point.defined() ? zero_point.mutable_data_ptr<int32_t>() : nullptr,
                        .has_one_scale = scale.numel() == 1},
                       kernels::cuda::BackwardRows{bf16_data(operand.factor),
                                                   operand.clip_mask.mutable_data_ptr<uint8_t>()},
                       current_stream()));
  return operand;
}

void finish_weight(const char* op, const SavedLayer& saved, const WantedGradients& wanted,
                   const WeightOperand& weight, const Tensor& grad_any, LayerGradients& out) {
  Tensor grad = grad_any.contiguous();
  if (saved.channel_scale.has_value()) {
    if (wanted[3]) out.channel_scale = (grad * real_weight(saved).factor).flatten(1).sum(1);
    grad.mul_(by_channel(*saved.channel_scale, grad));
  }
  out.weight = cleared(op, grad, weight.mask_rows, weight.clip_mask);
}

}  // namespace samebits::ops
