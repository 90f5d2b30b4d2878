// QATLinear: torch::nn::Linear that trains on the integers it ships.
#pragma once

#include <torch/nn/modules/linear.h>

#include "torch_ext/modules/qat_layer.h"
#include "torch_ext/modules/scheme_options.h"

namespace samebits {

class QATLinearOptions : public SchemeOptions<QATLinearOptions> {
 public:
  QATLinearOptions(std::int64_t in_features, std::int64_t out_features)
      : in_features_(in_features), out_features_(out_features) {}
  TORCH_ARG(std::int64_t, in_features);
  TORCH_ARG(std::int64_t, out_features);
  TORCH_ARG(bool, bias) = true;
  /// The layer of max(x, 0): a relu in front that costs neither time nor memory, as the quantizer of x does
  /// it.
  TORCH_ARG(bool, relu_input) = false;
  /// A batch norm of the output, the child "bn": see QATLayer::join().
  TORCH_ARG(std::optional<torch::nn::BatchNormOptions>, batch_norm);
};

class QATLinearImpl : public QATLayer {
 public:
  QATLinearImpl(std::int64_t in_features, std::int64_t out_features)
      : QATLinearImpl(QATLinearOptions(in_features, out_features)) {}
  /// Parameters are initialized as torch::nn::Linear does.
  explicit QATLinearImpl(const QATLinearOptions& options);
  /// Takes over the parameters of a float layer: the same tensors, so that optimizers stay valid.
  explicit QATLinearImpl(torch::nn::LinearImpl& linear, std::optional<LayerConfig> own_config = std::nullopt,
                         bool relu_input = false);

  /// x [..., in_features] to [..., out_features], float32.
  torch::Tensor forward(const torch::Tensor& x) { return compute(x); }

  /// A layer of its own with the same parameters, scheme and state.
  std::shared_ptr<torch::nn::Module> clone(
      const std::optional<torch::Device>& device = std::nullopt) const override;

  /// For graphs: a layer on tensors that it owns, or that others own.
  QATLinearImpl(const LayerProduct& product, torch::Tensor weight_of, torch::Tensor bias_of, bool owns)
      : QATLayer("QATLinear", product, std::move(weight_of), std::move(bias_of), owns) {}

 private:
  QATLinearImpl(const QATLinearImpl& other, torch::Tensor weight, torch::Tensor bias);
};
TORCH_MODULE(QATLinear);

}  // namespace samebits
