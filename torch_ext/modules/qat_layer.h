// What QATLinear and QATConv2d share: parameters, the input's quantizer, the weight's grid, and which
// arithmetic runs in which state.
#pragma once

#include <torch/nn.h>

#include <memory>
#include <optional>
#include <string>

#include "csrc/layers/layer.h"
#include "torch_ext/config/qconfig.h"
#include "torch_ext/quantizer/activation_quantizer.h"
#include "torch_ext/quantizer/quantizer_state.h"

namespace samebits {

/// The weight's codes and grids, as exported.
struct QuantizedWeight {
  torch::Tensor codes;       // int8, the weight's shape
  torch::Tensor scale;       // float32 [1], [out] or [out, groups]
  torch::Tensor zero_point;  // int32 of scale's shape, or undefined: symmetric
};

class QATLayer : public torch::nn::Module {
 public:
  torch::Tensor weight;  // [out, …], float32
  torch::Tensor bias;    // [out], or undefined

  /// "linear" or "conv2d".
  virtual const char* kind() const = 0;
  /// Products in one sum: in_features, or in_channels / groups * kernel size.
  virtual std::int64_t depth() const = 0;
  virtual bool supports_groups() const = 0;

  /// Sets the scheme and the name that messages use, and starts the input's quantizer anew in state float. A
  /// scheme in groups becomes per channel where the layer has no groups. Throws c10::Error when depth()
  /// exceeds what int32 sums allow.
  void configure(const LayerConfig& config, const std::string& path, std::int64_t observe_steps);
  const LayerConfig& config() const { return config_; }
  /// The scheme that the module's options asked for, if any; prepare() keeps it.
  const std::optional<LayerConfig>& own_config() const { return own_config_; }
  const std::string& path() const { return path_; }

  QuantizerState state() const { return input_->state(); }
  void set_state(QuantizerState state) { input_->set_state(state, path_); }
  ActivationQuantizer& input() const { return *input_; }

  /// The grid of the weight as it is now: its range per tensor, channel or group. Throws c10::Error that
  /// names the layer when the weight is not finite.
  ops::WeightGrid weight_grid() const;
  QuantizedWeight quantized_weight() const;

  /// Whether the layer is one of max(x, 0).
  bool has_relu_input() const { return has_relu_input_; }

  /// What the layer computes in float32 on its weights as they are, the relu of its input included.
  torch::Tensor float_forward(const torch::Tensor& x) const;

 protected:
  QATLayer(std::string name, torch::Tensor initial_weight, torch::Tensor initial_bias,
           std::optional<LayerConfig> own_config, bool has_relu_input);

  /// forward of every layer: observes, chooses the arithmetic by state, reports to LayerWatch.
  torch::Tensor compute(const torch::Tensor& x);
  virtual ops::WeightOrder weight_order() const = 0;
  virtual torch::Tensor float_product(const torch::Tensor& x) const = 0;
  virtual ops::LayerOutput integer_forward(const torch::Tensor& x, const ops::ActivationGrid& x_grid,
                                           const ops::PackedWeight& packed,
                                           const ops::LayerOptions& options) const = 0;

 private:
  void check_depth() const;
  /// The weight as the kernels read it, made anew each time: torch's optimizers change weights through
  /// .data(), which no version counter sees, so that nothing could tell a kept one from a stale one.
  ops::PackedWeight packed_weight() const;

  std::optional<LayerConfig> own_config_;
  LayerConfig config_;
  std::string path_;
  bool has_relu_input_;
  std::shared_ptr<ActivationQuantizer> input_;
};

/// The layer inside a module, or null.
std::shared_ptr<QATLayer> as_qat_layer(const std::shared_ptr<torch::nn::Module>& module);

}  // namespace samebits
