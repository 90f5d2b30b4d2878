#include "torch_ext/modules/qat_conv2d.h"

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
    : QATConv2dImpl(*torch::nn::Conv2d(float_options(options)), options.own_config(), options.relu_input()) {}

QATConv2dImpl::QATConv2dImpl(torch::nn::Conv2dImpl& conv, std::optional<LayerConfig> own_config,
                             bool relu_input)
    : QATLayer("QATConv2d", conv.weight, conv.bias, std::move(own_config), relu_input),
      window_(window_of(conv)) {}

torch::Tensor QATConv2dImpl::float_product(const torch::Tensor& x) const {
  return torch::conv2d(x, weight, bias, window_.stride, window_.padding, window_.dilation, window_.groups);
}

ops::LayerOutput QATConv2dImpl::integer_forward(const torch::Tensor& x, const ops::ActivationGrid& x_grid,
                                                const ops::PackedWeight& packed,
                                                const ops::LayerOptions& options) const {
  return ops::conv2d(x, bias.defined() ? std::optional(bias) : std::nullopt, window_, x_grid, packed,
                     options);
}

}  // namespace samebits
