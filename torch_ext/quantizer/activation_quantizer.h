// The quantizer of a layer's input: an observer of its range, the grid made from it, and the state. All of it
// lives in buffers, so that state_dict, checkpoints and `.to()` carry it.
#pragma once

#include <torch/nn.h>

#include "csrc/layers/layer.h"
#include "torch_ext/config/qconfig.h"
#include "torch_ext/quantizer/quantizer_state.h"

namespace samebits {

class ActivationQuantizer : public torch::nn::Module {
 public:
  explicit ActivationQuantizer(const ActivationConfig& config);

  /// Starts anew: no range, state float.
  void configure(const ActivationConfig& config, std::int64_t observe_steps);
  const ActivationConfig& config() const { return config_; }

  QuantizerState state() const;
  /// `layer` is named in errors. Throws c10::Error when quantizing or frozen is asked for before any batch
  /// was observed.
  void set_state(QuantizerState state, const std::string& layer);

  /// Whether inputs move the range: observing or quantizing in training mode, or while calibrating.
  bool is_moving() const;
  /// For a layer that computes in float: records the range of x if is_moving(); after observe_steps such
  /// calls, observing becomes quantizing. Throws c10::Error that names `layer` when x holds a NaN or an
  /// infinity.
  void observe(const torch::Tensor& x, const std::string& layer);
  /// For a layer that quantized x and looked at its range in the same pass: float32 {min, max}. The grid that
  /// results is for the next input. Throws as observe() does.
  void record(const torch::Tensor& range, const std::string& layer);

  /// Also records in eval mode, for post-training calibration.
  void set_calibrating(bool calibrating) { calibrating_ = calibrating; }

  /// The grid as the operators take it.
  ops::ActivationGrid grid() const;
  /// The same as a plain value.
  kernels::AffineGrid affine_grid() const;

  bool has_observed() const;

 private:
  void record(float min, float max, const std::string& layer);

  ActivationConfig config_;
  std::int64_t observe_steps_ = 0;  // 0: observing never ends by itself
  bool calibrating_ = false;
  torch::Tensor min_, max_;           // float32 [1]: the range so far
  torch::Tensor scale_, zero_point_;  // float32 [1], int32 [1]
  torch::Tensor state_, observed_;    // int64 []: QuantizerState; training forwards recorded
};

}  // namespace samebits
