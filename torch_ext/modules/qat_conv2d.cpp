#include "torch_ext/modules/qat_conv2d.h"

#include "torch_ext/quantizer/layer_quantizer.h"

namespace samebits {
namespace {

torch::nn::Conv2dOptions float_options(const QATConv2dOptions& o) {
  return torch::nn::Conv2dOptions(o.in_channels(), o.out_channels(), o.kernel_size())
      .stride(o.stride())
      .padding(o.padding())
      .dilation(o.dilation())
      .groups(o.groups())
      .bias(o.bias());
}

std::array<std::int64_t, 2> pair_of(const torch::ExpandingArray<2>& values) {
  return {values->at(0), values->at(1)};
}

ops::Conv2dWindow window_of(const torch::nn::Conv2dImpl& conv) {
  const auto& o = conv.options;
  TORCH_CHECK(std::holds_alternative<torch::enumtype::kZeros>(o.padding_mode()), "[conv2d] ", conv.name(),
              ": expected padding_mode zeros, got another; pad before the layer");
  const auto* padding = std::get_if<torch::ExpandingArray<2>>(&o.padding());
  TORCH_CHECK(padding != nullptr, "[conv2d] ", conv.name(),
              ": expected padding as a number of pixels, got same or valid; write the number");
  return {pair_of(o.stride()), pair_of(*padding), pair_of(o.dilation()), o.groups()};
}

}  // namespace

QATConv2dImpl::QATConv2dImpl(const QATConv2dOptions& options)
    : QATConv2dImpl(*torch::nn::Conv2d(float_options(options)), options.own_config(), options.relu_input()) {
  if (options.batch_norm().has_value()) add_batch_norm(*options.batch_norm());
}

QATConv2dImpl::QATConv2dImpl(torch::nn::Conv2dImpl& conv, std::optional<LayerConfig> own_config,
                             bool relu_input)
    : QATLayer("QATConv2d", conv.weight, conv.bias, std::move(own_config),
               {.window = window_of(conv), .has_relu_input = relu_input}) {}

QATConv2dImpl::QATConv2dImpl(const QATConv2dImpl& other, torch::Tensor weight, torch::Tensor bias)
    : QATLayer("QATConv2d", std::move(weight), std::move(bias), other.own_config(),
               other.quantizer().product()) {}

std::shared_ptr<torch::nn::Module> QATConv2dImpl::clone(const std::optional<torch::Device>& device) const {
  const torch::NoGradGuard no_grad;
  const torch::Tensor copied_bias = bias.defined() ? bias.detach().clone() : torch::Tensor();
  const std::shared_ptr<QATConv2dImpl> copy(new QATConv2dImpl(*this, weight.detach().clone(), copied_bias));
  copy_to(*copy, device);
  return copy;
}

}  // namespace samebits
