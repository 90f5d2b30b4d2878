// What QATLinear and QATConv2d share: parameters, scheme, state, and a quantizer that decides which
// arithmetic runs.
#pragma once

#include <torch/nn.h>

#include <memory>
#include <optional>
#include <string>

#include "torch_ext/config/qconfig.h"
#include "torch_ext/quantizer/quantizer_state.h"

namespace samebits {

class ActivationQuantizer;
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

  /// "linear" or "conv2d".
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

  /// Whether the layer is one of max(x, 0).
  bool has_relu_input() const;
  /// What the layer computes in float32 on its weights as they are, the relu of its input included.
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
  /// A layer of a graph. `owns`: the tensors are its parameters; else they are another module's, or undefined until
  /// the first call.
  QATLayer(std::string name, const LayerProduct& product, torch::Tensor weight_of, torch::Tensor bias_of,
           bool owns);

  /// Gives a copy this layer's scheme, state, mode and gradient flags.
  void copy_to(QATLayer& copy, const std::optional<torch::Device>& device) const;

 private:
  std::optional<LayerConfig> own_config_;
  std::unique_ptr<LayerQuantizer> quantizer_;
};

/// The layer inside a module, or null.
std::shared_ptr<QATLayer> as_qat_layer(const std::shared_ptr<torch::nn::Module>& module);

}  // namespace samebits
