#include "torch_ext/quantizer/activation_quantizer.h"

#include <algorithm>
#include <cmath>

#include "csrc/observe/min_max.h"
#include "kernels/observe/moving_average.h"

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

QuantizerState ActivationQuantizer::state() const {
  return static_cast<QuantizerState>(value_of(state_));
}

bool ActivationQuantizer::is_moving() const {
  const QuantizerState now = state();
  return (now == QuantizerState::kObserving || now == QuantizerState::kQuantizing) &&
         (is_training() || calibrating_);
}

bool ActivationQuantizer::has_observed() const {
  return value_of(observed_) > 0;
}

void ActivationQuantizer::set_state(QuantizerState state, const std::string& layer) {
  const bool needs_grid = state == QuantizerState::kQuantizing || state == QuantizerState::kFrozen;
  TORCH_CHECK(!needs_grid || has_observed(), "[qat] ", layer,
              ": expected at least one observed batch before ", state_name(state),
              ", got none; run the model in training mode while it observes");
  torch::NoGradGuard no_grad;
  state_.fill_(static_cast<std::int64_t>(state));
}

void ActivationQuantizer::observe(const torch::Tensor& x, const std::string& layer) {
  if (!is_moving() || x.numel() == 0) return;
  torch::NoGradGuard no_grad;
  const auto [min, max, saw_nan] = ops::min_max(x);
  TORCH_CHECK(
      !saw_nan.item<bool>(), "[qat] ", layer,
      ": expected numbers at the input, got NaN; look at the batch, the layer before and the learning rate");
  record(min.item<float>(), max.item<float>(), layer);
  if (state() == QuantizerState::kObserving && observe_steps_ > 0 && value_of(observed_) >= observe_steps_)
    set_state(QuantizerState::kQuantizing, layer);
}

void ActivationQuantizer::record(const torch::Tensor& range, const std::string& layer) {
  const torch::Tensor values = range.cpu();
  record(values.const_data_ptr<float>()[0], values.const_data_ptr<float>()[1], layer);
}

void ActivationQuantizer::record(float min, float max, const std::string& layer) {
  TORCH_CHECK(std::isfinite(min) && std::isfinite(max), "[qat] ", layer,
              ": expected finite values at the input, got infinity; look at the batch and the learning rate");
  torch::NoGradGuard no_grad;
  const std::int64_t batches = value_of(observed_);
  if (batches > 0) {
    const float old_min = min_.item<float>(), old_max = max_.item<float>();
    const auto newest = static_cast<float>(config_.averaging);
    const bool averages = config_.observer == ObserverKind::kMovingAverage;
    min = averages ? kernels::moving_average_step(old_min, min, newest) : std::min(old_min, min);
    max = averages ? kernels::moving_average_step(old_max, max, newest) : std::max(old_max, max);
  }
  const kernels::AffineGrid grid =
      kernels::grid_of_range(min, max, config_.activation_qmin(), config_.qmax(), config_.symmetric);
  min_.fill_(min);
  max_.fill_(max);
  observed_.fill_(batches + 1);
  scale_.fill_(grid.scale);
  zero_point_.fill_(grid.zero_point);
}

ops::ActivationGrid ActivationQuantizer::grid() const {
  return {scale_, zero_point_, config_.activation_qmin(), config_.qmax()};
}

kernels::AffineGrid ActivationQuantizer::affine_grid() const {
  return {scale_.item<float>(), zero_point_.item<std::int32_t>(), config_.activation_qmin(), config_.qmax()};
}

}  // namespace samebits
