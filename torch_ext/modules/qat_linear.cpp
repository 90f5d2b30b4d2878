#include "torch_ext/modules/qat_linear.h"

#include "torch_ext/quantizer/layer_quantizer.h"

namespace samebits {

QATLinearImpl::QATLinearImpl(const QATLinearOptions& options)
    : QATLinearImpl(
          *torch::nn::Linear(
              torch::nn::LinearOptions(options.in_features(), options.out_features()).bias(options.bias())),
          options.own_config(), options.relu_input()) {
  if (options.batch_norm().has_value()) add_batch_norm(*options.batch_norm());
}

QATLinearImpl::QATLinearImpl(torch::nn::LinearImpl& linear, std::optional<LayerConfig> own_config,
                             bool relu_input)
    : QATLayer("QATLinear", linear.weight, linear.bias, std::move(own_config),
               {.has_relu_input = relu_input}) {}

QATLinearImpl::QATLinearImpl(const QATLinearImpl& other, torch::Tensor weight, torch::Tensor bias)
    : QATLayer("QATLinear", std::move(weight), std::move(bias), other.own_config(),
               other.quantizer().product()) {}

std::shared_ptr<torch::nn::Module> QATLinearImpl::clone(const std::optional<torch::Device>& device) const {
  const torch::NoGradGuard no_grad;
  const torch::Tensor copied_bias = bias.defined() ? bias.detach().clone() : torch::Tensor();
  const std::shared_ptr<QATLinearImpl> copy(new QATLinearImpl(*this, weight.detach().clone(), copied_bias));
  copy_to(*copy, device);
  return copy;
}

}  // namespace samebits
