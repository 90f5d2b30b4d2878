#include "torch_ext/qat_linear.h"

#include "csrc/linear.h"

namespace samebits {

QATLinearImpl::QATLinearImpl(const QATLinearOptions& options)
    : QATLinearImpl(*torch::nn::Linear(torch::nn::LinearOptions(options.in_features(), options.out_features())
                                           .bias(options.bias())),
                    options.own_config()) {}

QATLinearImpl::QATLinearImpl(torch::nn::LinearImpl& linear, std::optional<LayerConfig> own_config)
    : QATLayer("QATLinear", linear.weight, linear.bias, std::move(own_config)) {}

torch::Tensor QATLinearImpl::float_forward(const torch::Tensor& x) const {
  return torch::nn::functional::linear(x, weight, bias);
}

ops::LayerOutput QATLinearImpl::integer_forward(const torch::Tensor& x, const ops::ActivationGrid& x_grid,
                                                const ops::WeightGrid& weight_grid) {
  return ops::linear(x, weight, bias.defined() ? std::optional(bias) : std::nullopt, x_grid, weight_grid);
}

}  // namespace samebits
