#include "torch_ext/modules/joined_batch_norm.h"

#include <torch/nn.h>

#include <string_view>
#include <typeinfo>

namespace samebits {

using torch::Tensor;

JoinedBatchNormImpl::JoinedBatchNormImpl(const torch::nn::BatchNormOptions& options)
    : JoinedBatchNormImpl(*torch::nn::BatchNorm1d(options)) {}

JoinedBatchNormImpl::JoinedBatchNormImpl(const torch::nn::BatchNormOptions& options, Parameters parameters,
                                         Statistics statistics)
    : torch::nn::Module("JoinedBatchNorm"), options_(options) {
  TORCH_CHECK(
      options.track_running_stats() && statistics.mean.defined() && statistics.variance.defined(),
      "[batch_norm] expected one that tracks running statistics, got track_running_stats false; a layer "
      "cannot join it");
  TORCH_INTERNAL_ASSERT(statistics.batches.defined() || options.momentum().has_value());
  const auto trains = [](const Tensor& tensor) { return tensor.defined() && tensor.requires_grad(); };
  const bool trains_weight = trains(parameters.weight), trains_bias = trains(parameters.bias);
  weight = register_parameter("weight", std::move(parameters.weight), trains_weight);
  bias = register_parameter("bias", std::move(parameters.bias), trains_bias);
  running_mean = register_buffer("running_mean", std::move(statistics.mean));
  running_var = register_buffer("running_var", std::move(statistics.variance));
  if (statistics.batches.defined())
    num_batches_tracked = register_buffer("num_batches_tracked", std::move(statistics.batches));
}

bool JoinedBatchNormImpl::uses_batch_statistics(bool layer_is_training) const {
  return estimated_batches_.has_value() || (layer_is_training && is_training() && !is_frozen_);
}

Tensor JoinedBatchNormImpl::normalize_by_batch(const Tensor& y) {
  double momentum = options_.momentum().value_or(0);
  if (estimated_batches_.has_value()) {
    momentum = 1.0 / static_cast<double>(++*estimated_batches_);
  } else {
    if (num_batches_tracked.defined()) num_batches_tracked.add_(1);
    // Without a momentum it is the average of all batches, as torch::nn::BatchNorm has it.
    if (!options_.momentum().has_value()) momentum = 1.0 / num_batches_tracked.item<double>();
  }
  return torch::batch_norm(y, weight, bias, running_mean, running_var, /*training=*/true, momentum,
                           options_.eps(), at::globalContext().userEnabledCuDNN());
}

Tensor JoinedBatchNormImpl::normalize_by_running(const Tensor& y) const {
  return torch::batch_norm(y, weight, bias, running_mean, running_var, /*training=*/false,
                           options_.momentum().value_or(0), options_.eps(),
                           at::globalContext().userEnabledCuDNN());
}

// An operation a rounding: each is one of ATen's. Its float32 root may come from a vector library that is an
// ulp off; the double's, rounded, is the root to the bit: none of a float lies so near to a midpoint.
FoldedBatchNorm JoinedBatchNormImpl::folded(const Tensor& layer_bias) const {
  const Tensor deviation = (running_var + options_.eps()).to(torch::kDouble).sqrt().to(torch::kFloat);
  const Tensor scale = (weight.defined() ? weight : torch::ones_like(deviation)) / deviation;
  const Tensor zeros = torch::zeros_like(running_mean);
  const Tensor centered = (layer_bias.defined() ? layer_bias : zeros) - running_mean;
  return {scale, centered * scale + (bias.defined() ? bias : zeros)};
}

void JoinedBatchNormImpl::begin_estimation() {
  const torch::NoGradGuard no_grad;
  running_mean.zero_();
  running_var.fill_(1);
  estimated_batches_ = 0;
}

std::shared_ptr<torch::nn::Module> JoinedBatchNormImpl::clone(
    const std::optional<torch::Device>& device) const {
  if (auto waiting = for_owner_.lock()) {
    for_owner_.reset();
    return waiting;
  }
  auto made = copy(device);
  for_layer_ = made;
  return made;
}

std::shared_ptr<JoinedBatchNormImpl> JoinedBatchNormImpl::clone_for_layer(
    const std::optional<torch::Device>& device) const {
  if (auto waiting = for_layer_.lock()) {
    for_layer_.reset();
    return waiting;
  }
  auto made = copy(device);
  for_owner_ = made;
  return made;
}

std::shared_ptr<JoinedBatchNormImpl> JoinedBatchNormImpl::copy(
    const std::optional<torch::Device>& device) const {
  const torch::NoGradGuard no_grad;
  const auto copied = [](const Tensor& tensor) {
    return tensor.defined() ? tensor.detach().clone().set_requires_grad(tensor.requires_grad()) : Tensor();
  };
  const std::shared_ptr<JoinedBatchNormImpl> made(
      new JoinedBatchNormImpl(options_, {copied(weight), copied(bias)},
                              {copied(running_mean), copied(running_var), copied(num_batches_tracked)}));
  made->is_frozen_ = is_frozen_;
  made->train(is_training());
  if (device.has_value()) made->to(*device);
  return made;
}

namespace {

template <class BatchNorm>
std::shared_ptr<JoinedBatchNormImpl> joined_if(const torch::nn::Module& module, std::int64_t channels) {
  // Not of a class derived from it, which may have a forward of its own.
  const auto* found = typeid(module) == typeid(BatchNorm) ? dynamic_cast<const BatchNorm*>(&module) : nullptr;
  if (found == nullptr || found->options.num_features() != channels || !found->options.track_running_stats())
    return nullptr;
  return std::make_shared<JoinedBatchNormImpl>(*found);
}

}  // namespace

std::shared_ptr<JoinedBatchNormImpl> joined_batch_norm(const torch::nn::Module& module,
                                                       const char* layer_kind, std::int64_t channels) {
  if (std::string_view(layer_kind) == "linear")
    return joined_if<torch::nn::BatchNorm1dImpl>(module, channels);
  return joined_if<torch::nn::BatchNorm2dImpl>(module, channels);
}

}  // namespace samebits
