#include "torch_ext/activation_quantizer.h"

#include "csrc/min_max.h"

namespace samebits {
namespace {

std::int64_t value_of(const torch::Tensor& scalar) {
  // Not item(): a trace would record it.
  return scalar.is_cpu() ? scalar.const_data_ptr<std::int64_t>()[0] : scalar.item<std::int64_t>();
}

}  // namespace

const char* state_name(QuantizerState state) {
  constexpr const char* kNames[] = {"float", "observing", "quantizing", "frozen"};
  return kNames[static_cast<std::int64_t>(state)];
}

ActivationQuantizer::ActivationQuantizer(const ActivationConfig& config)
    : torch::nn::Module("ActivationQuantizer"),
      config_(config),
      min_(register_buffer("min", torch::zeros({1}))),
      max_(register_buffer("max", torch::zeros({1}))),
      scale_(register_buffer("scale", torch::ones({1}))),
      zero_point_(register_buffer("zero_point", torch::zeros({1}, torch::kInt))),
      state_(register_buffer("state", torch::zeros({}, torch::kLong))),
      observed_(register_buffer("observed", torch::zeros({}, torch::kLong))) {}

void ActivationQuantizer::configure(const ActivationConfig& config, std::int64_t observe_steps) {
  torch::NoGradGuard no_grad;
  config_ = config;
  observe_steps_ = observe_steps;
  min_.zero_();
  max_.zero_();
  scale_.fill_(1.0);
  zero_point_.zero_();
  state_.zero_();
  observed_.zero_();
}

QuantizerState ActivationQuantizer::state() const { return static_cast<QuantizerState>(value_of(state_)); }

bool ActivationQuantizer::has_observed() const { return value_of(observed_) > 0; }

void ActivationQuantizer::set_state(QuantizerState state, const std::string& layer) {
  const bool needs_grid = state == QuantizerState::kQuantizing || state == QuantizerState::kFrozen;
  TORCH_CHECK(!needs_grid || has_observed(), "[qat] ", layer, ": expected at least one observed batch before ",
              state_name(state), ", got none; run the model in training mode while it observes");
  torch::NoGradGuard no_grad;
  state_.fill_(static_cast<std::int64_t>(state));
}

void ActivationQuantizer::observe(const torch::Tensor& x, const std::string& layer) {
  const QuantizerState now = state();
  const bool moves = now == QuantizerState::kObserving || now == QuantizerState::kQuantizing;
  if (!moves || !(is_training() || calibrating_) || x.numel() == 0) return;
  torch::NoGradGuard no_grad;
  const auto [min, max, saw_nan] = ops::min_max(x);
  TORCH_CHECK(!saw_nan.item<bool>(), "[qat] ", layer,
              ": expected numbers at the input, got NaN; look at the batch, the layer before and the learning rate");
  TORCH_CHECK(torch::isfinite(min).item<bool>() && torch::isfinite(max).item<bool>(), "[qat] ", layer,
              ": expected finite values at the input, got infinity; look at the batch and the learning rate");
  record(min, max);
  if (now == QuantizerState::kObserving && observe_steps_ > 0 && value_of(observed_) >= observe_steps_)
    set_state(QuantizerState::kQuantizing, layer);
}

void ActivationQuantizer::record(const torch::Tensor& min, const torch::Tensor& max) {
  if (!has_observed()) {
    min_.copy_(min);
    max_.copy_(max);
  } else if (config_.observer == ObserverKind::kMinMax) {
    min_.copy_(torch::minimum(min_, min));
    max_.copy_(torch::maximum(max_, max));
  } else {
    min_.add_((min - min_).mul_(config_.averaging));
    max_.add_((max - max_).mul_(config_.averaging));
  }
  observed_.add_(1);
  const auto [scale, zero_point] =
      ops::grid_of_range(min_, max_, config_.activation_qmin(), config_.qmax(), config_.symmetric);
  scale_.copy_(scale);
  zero_point_.copy_(zero_point);
}

ops::ActivationGrid ActivationQuantizer::grid() const {
  return {scale_, zero_point_, config_.activation_qmin(), config_.qmax()};
}

kernels::AffineGrid ActivationQuantizer::affine_grid() const {
  return {scale_.item<float>(), zero_point_.item<std::int32_t>(), config_.activation_qmin(), config_.qmax()};
}

}  // namespace samebits
