// The quantizer of a layer's input: an observer of its range, the grid made from it, and the state. All of it
// lives in buffers, so that state_dict, checkpoints and `.to()` carry it, and stays on the buffers' device.
#pragma once

#include <torch/nn/module.h>

#include "csrc/layers/layer.h"
#include "csrc/observe/observe_quantize.h"
#include "torch_ext/config/qconfig.h"
#include "torch_ext/quantizer/histogram_observer.h"
#include "torch_ext/quantizer/learned_grid.h"
#include "torch_ext/quantizer/quantizer_state.h"
#include "torch_ext/quantizer/step_flags.h"

namespace samebits {

/// An integer in a buffer that the host knows without waiting for the device: it is read there only after
/// others wrote to the buffer.
class BufferedInteger {
 public:
  explicit BufferedInteger(torch::Tensor buffer) : buffer_(std::move(buffer)) {}
  std::int64_t value() const;
  void set(std::int64_t value);
  /// The device has counted the buffer one up.
  void was_incremented();
  /// The buffer was loaded: what is known is void.
  void forget() { seen_version_ = kNever; }

 private:
  static constexpr std::uint32_t kNever = UINT32_MAX;
  torch::Tensor buffer_;
  mutable std::int64_t value_ = 0;
  mutable std::uint32_t seen_version_ = kNever;
};

class ActivationQuantizer : public torch::nn::Module {
 public:
  explicit ActivationQuantizer(const ActivationConfig& config);

  /// Starts anew: no range, state float. What is learned stays so, and begins anew when quantizing does.
  void configure(const ActivationConfig& config, std::int64_t observe_steps);
  /// Trains these parts of the grid, in the child "grid", from the one that was observed. kNothing: the grid
  /// follows the observer.
  void learn(LearnedPart part);
  const ActivationConfig& config() const { return config_; }
  std::int64_t observe_steps() const { return observe_steps_; }

  QuantizerState state() const { return static_cast<QuantizerState>(state_.value()); }
  /// `layer` is named in errors. Throws c10::Error when quantizing or frozen is asked for before any batch
  /// was observed. From observing to one of these the observer's range is settled, and what is learned begins
  /// with its grid; a layer that was float for a while goes on as it was. Returns whether it began so.
  bool set_state(QuantizerState state, const std::string& layer);

  /// Whether the layer computes on integers: quantizing or frozen.
  bool is_on_integers() const;
  /// Whether inputs move the range: observing in training mode, or while calibrating; also quantizing, unless
  /// the grid is learned or of a histogram.
  bool is_moving() const;
  /// For a layer that computes in float: records the range of x if is_moving(); after observe_steps such
  /// calls, observing becomes quantizing. Raises flags that name `layer` when x holds a NaN or an infinity.
  void observe(const torch::Tensor& x, const std::string& layer, StepFlags& flags);
  /// For a layer that quantized x and looked at its range in the same pass: float32 {min, max}. The grid that
  /// results is for the next input. Raises flags as observe() does.
  void record(const torch::Tensor& range, const std::string& layer, StepFlags& flags);

  /// Also records in eval mode, for post-training calibration.
  void set_calibrating(bool calibrating) { calibrating_ = calibrating; }
  /// Records nothing meanwhile: a layer of many steps records what all of them saw at once.
  void set_paused(bool paused) { is_paused_ = paused; }

  /// The grid with the gradients of what is learned; without where that is nothing, or frozen.
  EstimatedGrid estimated_grid() const;
  /// The grid as the operators take it.
  ops::ActivationGrid grid() const;
  /// The same as a plain value, read from the device.
  kernels::AffineGrid affine_grid() const;

  bool has_observed() const { return observed_.value() > 0; }

  // Buffers keep their types, whatever a model is converted to: codes are made with float32 scales.
  using torch::nn::Module::to;
  void to(torch::Device device, torch::Dtype, bool non_blocking = false) override;
  void to(torch::Dtype, bool non_blocking = false) override;
  void load(torch::serialize::InputArchive& archive) override;

 private:
  bool is_learned() const { return !grid_.is_empty() && is_on_integers(); }
  void settle();

  ActivationConfig config_;
  std::int64_t observe_steps_ = 0;  // 0: observing never ends by itself
  bool calibrating_ = false, is_paused_ = false;
  bool has_begun_ = false;            // to quantize, since it was configured
  ops::MovingGrid moving_;            // min, max, scale float32 [1]; zero_point int32 [1]; observed int64 []
  BufferedInteger state_, observed_;  // int64 []: QuantizerState; training forwards recorded
  HistogramObserver histogram_{nullptr};  // child "histogram", where the observer uses one
  LearnedGrid grid_{nullptr};             // child "grid", where a part of it is trained
};

}  // namespace samebits
