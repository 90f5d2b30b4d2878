#include "torch_ext/modules/qat_linear.h"

#include "csrc/layers/linear.h"

namespace samebits {

QATLinearImpl::QATLinearImpl(const QATLinearOptions& options)
    : QATLinearImpl(
          *torch::nn::Linear(
              torch::nn::LinearOptions(options.in_features(), options.out_features()).bias(options.bias())),
          options.own_config(), options.relu_input()) {}

QATLinearImpl::QATLinearImpl(torch::nn::LinearImpl& linear, std::optional<LayerConfig> own_config,
                             bool relu_input)
    : QATLayer("QATLinear", linear.weight, linear.bias, std::move(own_config), relu_input) {}

torch::Tensor QATLinearImpl::float_product(const torch::Tensor& x) const {
  return torch::nn::functional::linear(x, weight, bias);
}

ops::LayerOutput QATLinearImpl::integer_forward(const torch::Tensor& x, const ops::ActivationGrid& x_grid,
                                                const ops::PackedWeight& packed,
                                                const ops::LayerOptions& options) const {
  return ops::linear(x, bias.defined() ? std::optional(bias) : std::nullopt, x_grid, packed, options);
}

}  // namespace samebits
