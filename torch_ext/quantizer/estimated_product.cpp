// LayerQuantizer: products whose gradients an estimator makes. It gives the reals of the codes; the product
// takes them on the same grid, finds the same codes again, which a real that lies on a grid is sure to have
// (docs/numerics.md §18), and clips nothing, so that its gradients reach the estimator whole.
#include "csrc/float/relu.h"
#include "csrc/observe/min_max.h"
#include "torch_ext/quantizer/layer_quantizer.h"

namespace samebits {

using torch::Tensor;

bool LayerQuantizer::is_estimated() const {
  return !estimator_->is_straight_through(Operand::kInput) ||
         !estimator_->is_straight_through(Operand::kWeight);
}

Tensor LayerQuantizer::multiply_estimated(const Tensor& x, const LayerParameters& parameters) {
  const Tensor weight = estimator_->transformed(parameters.weight);
  const Tensor input = product_.has_relu_input ? std::get<0>(ops::relu(x)) : x;
  flag_weight(weight);
  flag_nan_at_input(std::get<2>(ops::min_max(input.detach())));  // the reals of codes have none
  const EstimatedGrid weight_grid = estimated_weight_grid(weight), input_grid = input_->estimated_grid();
  flag_scale(weight_grid.scale, "weight");
  flag_scale(input_grid.scale, "input");
  ops::WeightGrid grid{weight_grid.scale.detach(), std::nullopt, weight_grid.qmin, weight_grid.qmax,
                       weight_grid.group_size};
  if (!config_.weight.symmetric)
    grid.zero_point = weight_grid_.is_empty() ? weight_grid.zero_point : weight_grid_->zero_point();
  const ops::LayerOutput out = call_on_grids(
      {.x = on_grid(Operand::kInput, input, input_grid),
       .weight = on_grid(Operand::kWeight, weight, weight_grid),
       .bias = parameters.bias.defined() ? std::optional(parameters.bias) : std::nullopt,
       .x_grid = input_->grid(),
       .weight_grid = grid,
       .options = {/*relu_input=*/false, /*observe=*/false, config_.backward},
       .channel_scale =
           parameters.channel_scale.defined() ? std::optional(parameters.channel_scale) : std::nullopt});
  input_->observe(input, path_, *flags_);  // for the next batch's grid
  read_flags_in_backward(out.y);
  return out.y;
}

/// Without gradients there is nothing to estimate.
Tensor LayerQuantizer::on_grid(Operand operand, const Tensor& values, const EstimatedGrid& grid) const {
  const bool is_plain = !at::GradMode::is_enabled() || estimator_->is_straight_through(operand);
  return is_plain ? values : estimator_->quantized(values, grid);
}

EstimatedGrid LayerQuantizer::estimated_weight_grid(const Tensor& weight) const {
  if (!weight_grid_.is_empty()) return weight_grid_->estimated();
  const torch::NoGradGuard no_grad;
  const quant::Encoding encoding = weight_encoding();
  const std::int64_t rows = encoding.granularity == quant::Granularity::kPerTensor ? 1 : weight.size(0);
  const auto [min, max, saw_nan] = ops::min_max(weight.detach(), rows, encoding.group_size);
  const auto [scale, zero_point] =
      ops::grid_of_range(min, max, encoding.qmin, encoding.qmax, encoding.symmetric);
  return {scale, zero_point, encoding.qmin, encoding.qmax, encoding.group_size};
}

ops::LayerOutput LayerQuantizer::call_on_grids(const ops::LayerCall& call) const {
  if (product_.window.has_value()) return ops::call_operator(ops::Conv2dCall{call, *product_.window});
  return ops::call_operator(ops::LinearCall{call});
}

}  // namespace samebits
