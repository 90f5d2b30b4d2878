// What QATLinear and QATConv2d share: parameters, scheme, state, and a quantizer that decides which
// arithmetic runs.
#pragma once

#include <torch/nn/module.h>
#include <torch/nn/options/batchnorm.h>

#include <memory>
#include <optional>
#include <string>

#include "torch_ext/config/qconfig.h"
#include "torch_ext/quantizer/quantizer_state.h"

namespace samebits {

class ActivationQuantizer;
class JoinedBatchNormImpl;
class LayerQuantizer;
struct LayerProduct;
namespace ops {
struct WeightGrid;
}
namespace quant {
struct QuantizedTensor;
}

class QATLayer : public torch::nn::Module {
 public:
  ~QATLayer() override;

  torch::Tensor weight;  // [out, …], float32
  torch::Tensor bias;    // [out], or undefined

  /// "linear", "conv2d", "lstm" or "gru".
  const char* kind() const;
  /// Products in one sum: in_features, or in_channels / groups * kernel size.
  std::int64_t depth() const;

  /// Sets the scheme and the name that messages use, and starts the input's quantizer anew in state float. A
  /// scheme in groups becomes per channel where the layer has no groups. Throws c10::Error when depth()
  /// exceeds what int32 sums allow; then nothing is changed.
  void configure(const LayerConfig& config, const std::string& path, std::int64_t observe_steps);
  const LayerConfig& config() const;
  /// The scheme that the module's options asked for, if any; prepare() keeps it.
  const std::optional<LayerConfig>& own_config() const { return own_config_; }
  const std::string& path() const;

  QuantizerState state() const;
  void set_state(QuantizerState state);

  /// Leaves the layer float for good, as a configuration with skip does: it is exported as a float layer, and
  /// in eval mode computes the bits that ship. configure() takes it back.
  void skip();
  bool is_skipped() const;

  /// torch::save and torch::load carry the scheme with the parameters. Loading throws c10::Error, and changes
  /// nothing of this layer, when what was saved computes on integers of another scheme: the same parameters
  /// on other grids are another model. What was saved without a scheme is taken as it is.
  void save(torch::serialize::OutputArchive& archive) const override;
  void load(torch::serialize::InputArchive& archive) override;

  /// Takes a batch norm with a channel for each output into the layer (docs/numerics.md §13): y is
  /// normalized, in training by the statistics of its batch, in eval mode and once frozen by the running
  /// ones, which on integers is the layer's own epilogue. Whoever called the batch norm does so no more, or
  /// calls the joined one. Null takes it back. Throws c10::Error for another number of channels.
  void join(std::shared_ptr<JoinedBatchNormImpl> batch_norm);
  /// The joined one, or null.
  const std::shared_ptr<JoinedBatchNormImpl>& batch_norm() const { return batch_norm_; }

  /// Whether the layer is one of max(x, 0).
  bool has_relu_input() const;
  /// What the layer computes in float32 on its weights as they are, the relu of its input and the running
  /// statistics of its batch norm included.
  torch::Tensor float_forward(const torch::Tensor& x) const;

  // For the library itself: types of torch_ext/quantizer, csrc and quant.
  /// forward of every layer: computes by state, and reports to LayerWatch.
  torch::Tensor compute(const torch::Tensor& x);
  /// The same of a layer whose parameters are made anew in each forward, and are kept until the next.
  torch::Tensor compute(const torch::Tensor& x, const torch::Tensor& weight, const torch::Tensor& bias);
  LayerQuantizer& quantizer() const { return *quantizer_; }
  ActivationQuantizer& input() const;
  /// The grid of the weight as it is now, and the weight on it. Throw c10::Error that names the layer when
  /// the weight is not finite.
  ops::WeightGrid weight_grid() const;
  quant::QuantizedTensor quantized_weight() const;

 protected:
  /// Parameters keep their requires_grad.
  QATLayer(std::string name, torch::Tensor initial_weight, torch::Tensor initial_bias,
           std::optional<LayerConfig> own_config, const LayerProduct& product);
  /// A layer of a graph. `owns`: the tensors are its parameters; else they are another module's, or undefined
  /// until the first call.
  QATLayer(std::string name, const LayerProduct& product, torch::Tensor weight_of, torch::Tensor bias_of,
           bool owns);

  /// A batch norm of the layer's own, the child "bn".
  void add_batch_norm(const torch::nn::BatchNormOptions& options);
  /// Gives a copy this layer's scheme, state, mode, gradient flags, and a copy of its batch norm.
  void copy_to(QATLayer& copy, const std::optional<torch::Device>& device) const;

 private:
  void register_weight_grid();
  torch::Tensor normalized(const torch::Tensor& x);

  std::optional<LayerConfig> own_config_;
  std::unique_ptr<LayerQuantizer> quantizer_;
  std::shared_ptr<JoinedBatchNormImpl> batch_norm_;
};

/// The layer inside a module, or null.
std::shared_ptr<QATLayer> as_qat_layer(const std::shared_ptr<torch::nn::Module>& module);

}  // namespace samebits
