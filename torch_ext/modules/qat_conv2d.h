// QATConv2d: torch::nn::Conv2d that trains on the integers it ships.
#pragma once

#include <torch/nn/modules/conv.h>

#include "torch_ext/modules/qat_layer.h"
#include "torch_ext/modules/scheme_options.h"

namespace samebits {

class QATConv2dOptions : public SchemeOptions<QATConv2dOptions> {
 public:
  QATConv2dOptions(std::int64_t in_channels, std::int64_t out_channels, torch::ExpandingArray<2> kernel_size)
      : in_channels_(in_channels), out_channels_(out_channels), kernel_size_(kernel_size) {}
  TORCH_ARG(std::int64_t, in_channels);
  TORCH_ARG(std::int64_t, out_channels);
  TORCH_ARG(torch::ExpandingArray<2>, kernel_size);
  TORCH_ARG(torch::ExpandingArray<2>, stride) = 1;
  TORCH_ARG(torch::ExpandingArray<2>, padding) = 0;
  TORCH_ARG(torch::ExpandingArray<2>, dilation) = 1;
  TORCH_ARG(std::int64_t, groups) = 1;
  TORCH_ARG(bool, bias) = true;
  /// The layer of max(x, 0): a relu in front that costs neither time nor memory, as the quantizer of x does
  /// it.
  TORCH_ARG(bool, relu_input) = false;
  /// A batch norm of the output, the child "bn": see QATLayer::join().
  TORCH_ARG(std::optional<torch::nn::BatchNormOptions>, batch_norm);
};

class QATConv2dImpl : public QATLayer {
 public:
  QATConv2dImpl(std::int64_t in_channels, std::int64_t out_channels, torch::ExpandingArray<2> kernel_size)
      : QATConv2dImpl(QATConv2dOptions(in_channels, out_channels, kernel_size)) {}
  /// Parameters are initialized as torch::nn::Conv2d does.
  explicit QATConv2dImpl(const QATConv2dOptions& options);
  /// Takes over the parameters of a float layer: the same tensors, so that optimizers stay valid. Throws
  /// c10::Error for padding that is not zeros of a fixed size.
  explicit QATConv2dImpl(torch::nn::Conv2dImpl& conv, std::optional<LayerConfig> own_config = std::nullopt,
                         bool relu_input = false);

  /// x [n, in_channels, height, width] to [n, out_channels, height', width'], float32.
  torch::Tensor forward(const torch::Tensor& x) { return compute(x); }

  /// A layer of its own with the same parameters, scheme and state.
  std::shared_ptr<torch::nn::Module> clone(
      const std::optional<torch::Device>& device = std::nullopt) const override;

  /// For graphs: a layer on tensors that it owns, or that others own.
  QATConv2dImpl(const LayerProduct& product, torch::Tensor weight_of, torch::Tensor bias_of, bool owns)
      : QATLayer("QATConv2d", product, std::move(weight_of), std::move(bias_of), owns) {}

 private:
  QATConv2dImpl(const QATConv2dImpl& other, torch::Tensor weight, torch::Tensor bias);
};
TORCH_MODULE(QATConv2d);

}  // namespace samebits
