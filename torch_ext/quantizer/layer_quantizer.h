// How a layer computes: on integers or in float, by the state of its quantizer. A plain class that a module
// owns; parameters stay the module's, and state stays in the buffers of the input's quantizer.
#pragma once

#include <torch/nn/module.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "csrc/layers/conv2d.h"
#include "csrc/layers/linear.h"
#include "quant/quantized_tensor.h"
#include "torch_ext/config/qconfig.h"
#include "torch_ext/quantizer/activation_quantizer.h"
#include "torch_ext/quantizer/estimators/estimator.h"
#include "torch_ext/quantizer/learned_grid.h"
#include "torch_ext/quantizer/recent_forwards.h"
#include "torch_ext/quantizer/step_flags.h"

namespace samebits {

/// What a layer multiplies.
struct LayerProduct {
  std::optional<ops::Conv2dWindow> window;  // of a conv2d; none: linear
  bool has_relu_input = false;              // of max(x, 0)
  bool is_aten_linear = false;              // in float: at::linear; else what torch::nn::Linear runs
  const char* cell = nullptr;               // "lstm" or "gru", of whose state it is; null: none

  const char* kind() const { return window.has_value() ? "conv2d" : cell != nullptr ? cell : "linear"; }
  /// What messages call depth().
  const char* depth_name() const {
    return window.has_value() ? "in_channels / groups * kernel size" : "in_features";
  }
  bool supports_groups() const { return !window.has_value(); }
};

/// The module's parameters, or what its batch norm makes of them; bias and the factors of the channels
/// (docs/numerics.md §13) may be undefined.
struct LayerParameters {
  const torch::Tensor &weight, &bias;
  torch::Tensor channel_scale{};
};

class LayerQuantizer {
 public:
  /// `name` stands in messages until configure() gives a path.
  LayerQuantizer(LayerProduct product, std::shared_ptr<ActivationQuantizer> input, std::string name);

  /// Takes a scheme, narrowed to what the layer can do, and starts anew in state float. Throws c10::Error,
  /// and changes nothing, when the depth of `weight` exceeds what int32 sums allow.
  void configure(const LayerConfig& config, const std::string& path, std::int64_t observe_steps,
                 const torch::Tensor& weight);
  /// The part of configure() that can throw.
  void check(const LayerConfig& config, const std::string& path, const torch::Tensor& weight) const;
  /// Only the scheme and the name: for a copy, whose tensors follow.
  void adopt(const LayerQuantizer& other);

  /// Into a state. From observing to integers, what is learned of its grids begins anew: the weight's with
  /// the grids of least squared error (quant/least_error_grids.h), the input's with the observer's. Throws
  /// c10::Error as ActivationQuantizer::set_state() and quantized_weight() do.
  void set_state(QuantizerState state, const torch::Tensor& weight);
  /// The weight's grids, trained; null: they follow its ranges. The module registers them as "weight_grid".
  const LearnedGrid& learned_weight_grid() const { return weight_grid_; }

  /// Leaves the layer float for good: it is exported as one, and in eval mode computes the bits that ship
  /// (docs/numerics.md §12). configure() takes it back.
  void skip();
  bool is_skipped() const { return is_skipped_; }

  const LayerProduct& product() const { return product_; }
  const LayerConfig& config() const { return config_; }
  void set_config(const LayerConfig& config);
  const std::string& path() const { return path_; }
  ActivationQuantizer& input() const { return *input_; }
  /// Shared by the layers of a model, so that their flags are read together.
  StepFlags& flags() const { return *flags_; }
  void share_flags(std::shared_ptr<StepFlags> flags) { flags_ = std::move(flags); }

  /// The scheme as an encoding of the weight.
  quant::Encoding weight_encoding() const;
  /// The grids of the weight as it is now. Throws c10::Error that names the layer when it is not finite.
  ops::WeightGrid weight_grid(const torch::Tensor& weight) const;
  /// The weight as it ships: the codes that a forward would multiply; of the tensor that the estimator puts
  /// in its place, if it does so. Throws as weight_grid() does.
  quant::QuantizedTensor quantized_weight(const torch::Tensor& weight) const;

  /// Whether run() computes the bits that ship: on integers, or as a float layer in eval mode. Only then does
  /// it take factors of channels.
  bool computes_what_ships() const;
  /// y of x, by state; observes while the state moves.
  torch::Tensor run(const torch::Tensor& x, const LayerParameters& parameters);
  /// y in float32 on the parameters as they are, the relu of the input included.
  torch::Tensor run_float(const torch::Tensor& x, const LayerParameters& parameters) const;

 private:
  bool is_on_integers() const;
  torch::Tensor multiply_floats(const torch::Tensor& x, const LayerParameters& parameters) const;
  torch::Tensor multiply_floats_exactly(const torch::Tensor& x, const LayerParameters& parameters) const;
  torch::Tensor multiply_codes(const torch::Tensor& x, const LayerParameters& parameters);
  torch::Tensor multiply_codes_on(const ops::ActivationGrid& grid, bool observes, const torch::Tensor& x,
                                  const LayerParameters& parameters);
  /// What an earlier forward computed, in the backward pass that wants it again.
  torch::Tensor run_again(const RecentForwards::Forward& earlier, const torch::Tensor& x,
                          const LayerParameters& parameters);
  ops::EncodedLayerOutput call(const ops::LayerCall& call) const;
  torch::Tensor multiply_estimated(const torch::Tensor& x, const LayerParameters& parameters);
  ops::LayerOutput call_on_grids(const ops::LayerCall& call) const;
  EstimatedGrid estimated_weight_grid(const torch::Tensor& weight) const;
  torch::Tensor on_grid(Operand operand, const torch::Tensor& values, const EstimatedGrid& grid) const;
  void flag_weight(const torch::Tensor& weight);
  void flag_scale(const torch::Tensor& scale, const char* of);
  void flag_nan_at_input(const torch::Tensor& saw_nan);
  void read_flags_in_backward(const torch::Tensor& y);
  bool is_estimated() const;
  void make_weight_grid(const torch::Tensor& weight);
  void begin_weight_grid(const torch::Tensor& weight);
  std::vector<float> finite_values(const torch::Tensor& weight) const;

  LayerProduct product_;
  LayerConfig config_;
  std::unique_ptr<Estimator> estimator_;
  LearnedGrid weight_grid_{nullptr};
  std::string path_;
  bool is_skipped_ = false;
  std::shared_ptr<ActivationQuantizer> input_;
  RecentForwards recent_;  // while the range moves
  std::shared_ptr<StepFlags> flags_ = std::make_shared<StepFlags>();
};

}  // namespace samebits
