// A batch norm that the layer in front of it has taken into its own output (docs/numerics.md §13). It has the
// tensors of the torch::nn::BatchNorm under the same names, so that optimizers, state_dict and checkpoints
// find what they knew; where a model calls it, it passes on what the layer made.
#pragma once

#include <torch/nn/module.h>
#include <torch/nn/options/batchnorm.h>

#include <memory>
#include <optional>

namespace samebits {

/// The factors of a layer's channels and the bias that a batch norm becomes: [channels] each.
struct FoldedBatchNorm {
  torch::Tensor scale, bias;
};

class JoinedBatchNormImpl : public torch::nn::Module {
 public:
  /// Initialized as torch::nn::BatchNorm does. Throws c10::Error unless it tracks running statistics.
  explicit JoinedBatchNormImpl(const torch::nn::BatchNormOptions& options);
  /// Shares the tensors of a torch::nn::BatchNorm1d or 2d.
  template <class BatchNorm>
  explicit JoinedBatchNormImpl(const BatchNorm& source)
      : JoinedBatchNormImpl(source.options, {source.weight, source.bias},
                            {source.running_mean, source.running_var, source.num_batches_tracked}) {}

  struct Parameters {
    torch::Tensor weight, bias;
  };
  struct Statistics {
    torch::Tensor mean, variance, batches;
  };
  /// Shares these. `batches` may be undefined where a momentum is given: then somebody else counts them.
  JoinedBatchNormImpl(const torch::nn::BatchNormOptions& options, Parameters parameters,
                      Statistics statistics);

  torch::Tensor weight, bias;  // [channels], or undefined without affine
  torch::Tensor running_mean, running_var, num_batches_tracked;

  /// x as it is: the layer in front has done it.
  torch::Tensor forward(const torch::Tensor& x) { return x; }

  std::int64_t channels() const { return options_.num_features(); }

  /// From now on by the running statistics in training too, which then stay; weight and bias go on training.
  void freeze(bool frozen = true) { is_frozen_ = frozen; }
  bool is_frozen() const { return is_frozen_; }
  /// Whether a layer in that mode is normalized by the statistics of its batch.
  bool uses_batch_statistics(bool layer_is_training) const;

  /// ATen's batch norm of a layer's output [batch, channels, ...] by the statistics of the batch, which move
  /// the running ones; and by the running ones.
  torch::Tensor normalize_by_batch(const torch::Tensor& y);
  torch::Tensor normalize_by_running(const torch::Tensor& y) const;

  /// y * scale + bias of the layer's output without its bias is the output normalized by the running
  /// statistics. `layer_bias` may be undefined. Differentiable in weight, bias and layer_bias.
  FoldedBatchNorm folded(const torch::Tensor& layer_bias) const;

  /// Statistics anew: the batches until end_estimation() are averaged, and normalized by their own, whatever
  /// the mode. The running statistics are those of the average at any time.
  void begin_estimation();
  void end_estimation() { estimated_batches_.reset(); }

  /// A copy with tensors of its own. A layer and the module that both stand in ask for one each, and get the
  /// same.
  std::shared_ptr<torch::nn::Module> clone(
      const std::optional<torch::Device>& device = std::nullopt) const override;
  std::shared_ptr<JoinedBatchNormImpl> clone_for_layer(const std::optional<torch::Device>& device) const;

 private:
  std::shared_ptr<JoinedBatchNormImpl> copy(const std::optional<torch::Device>& device) const;

  torch::nn::BatchNormOptions options_;
  bool is_frozen_ = false;
  std::optional<std::int64_t> estimated_batches_;
  // Copies that one of the two who hold this has got, and the other has not.
  mutable std::weak_ptr<JoinedBatchNormImpl> for_layer_, for_owner_;
};
TORCH_MODULE(JoinedBatchNorm);

/// One with the tensors of `module` when that is a batch norm that a layer of `channels` outputs and this
/// kind ("linear", "conv2d") may join: BatchNorm1d behind linear, BatchNorm2d behind conv2d, with running
/// statistics. Else null.
std::shared_ptr<JoinedBatchNormImpl> joined_batch_norm(const torch::nn::Module& module,
                                                       const char* layer_kind, std::int64_t channels);

}  // namespace samebits
