#include "torch_ext/quantizer/activation_quantizer.h"

#include "csrc/observe/min_max.h"

namespace samebits {
namespace {

constexpr const char* kNaN =
    ": expected numbers at the input, got NaN; look at the batch, the layer before and the learning rate";
constexpr const char* kInfinity =
    ": expected finite values at the input, got infinity; look at the batch and the learning rate";

torch::Tensor number(torch::ScalarType type) {
  return torch::zeros({}, type);
}

}  // namespace

const char* state_name(QuantizerState state) {
  constexpr const char* kNames[] = {"float", "observing", "quantizing", "frozen"};
  return kNames[static_cast<std::int64_t>(state)];
}

std::int64_t BufferedInteger::value() const {
  if (buffer_.is_cpu())
    return *buffer_.const_data_ptr<std::int64_t>();  // not item(): a trace would record it
  if (seen_version_ != buffer_._version()) {
    value_ = buffer_.item<std::int64_t>();
    seen_version_ = static_cast<std::uint32_t>(buffer_._version());
  }
  return value_;
}

void BufferedInteger::set(std::int64_t value) {
  const torch::NoGradGuard no_grad;
  buffer_.fill_(value);
  value_ = value;
  seen_version_ = static_cast<std::uint32_t>(buffer_._version());
}

void BufferedInteger::was_incremented() {
  ++value_;
  seen_version_ = static_cast<std::uint32_t>(buffer_._version());
}

ActivationQuantizer::ActivationQuantizer(const ActivationConfig& config)
    : torch::nn::Module("ActivationQuantizer"),
      config_(config),
      moving_{.min = register_buffer("min", torch::zeros({1})),
              .max = register_buffer("max", torch::zeros({1})),
              .scale = register_buffer("scale", torch::ones({1})),
              .zero_point = register_buffer("zero_point", torch::zeros({1}, torch::kInt))},
      state_(register_buffer("state", number(torch::kLong))),
      observed_(moving_.batches = register_buffer("observed", number(torch::kLong))) {}

void ActivationQuantizer::configure(const ActivationConfig& config, std::int64_t observe_steps) {
  const torch::NoGradGuard no_grad;
  config_ = config;
  observe_steps_ = observe_steps;
  has_begun_ = false;
  if (!histogram_.is_empty()) unregister_module("histogram");
  histogram_ = nullptr;
  if (uses_histogram(config.observer)) {
    histogram_ = register_module("histogram", HistogramObserver());
    histogram_->to(moving_.min.device());
  }
  moving_.min.zero_();
  moving_.max.zero_();
  moving_.scale.fill_(1.0);
  moving_.zero_point.zero_();
  state_.set(0);
  observed_.set(0);
}

void ActivationQuantizer::learn(LearnedPart part) {
  if (!grid_.is_empty()) unregister_module("grid");
  grid_ = nullptr;
  if (part == LearnedPart::kNothing) return;
  const LearnedGridImpl::Codes codes{config_.activation_qmin(), config_.qmax(), config_.symmetric};
  grid_ = register_module("grid", LearnedGrid(std::vector<std::int64_t>{1}, codes, part));
  grid_->to(moving_.min.device());
}

bool ActivationQuantizer::is_on_integers() const {
  return state() == QuantizerState::kQuantizing || state() == QuantizerState::kFrozen;
}

bool ActivationQuantizer::is_moving() const {
  const QuantizerState now = state();
  const bool follows = now == QuantizerState::kQuantizing && grid_.is_empty() && histogram_.is_empty();
  return !is_paused_ && (now == QuantizerState::kObserving || follows) && (is_training() || calibrating_);
}

/// The range that a histogram leads to, and what is learned from it on.
void ActivationQuantizer::settle() {
  const torch::NoGradGuard no_grad;
  if (!histogram_.is_empty()) {
    if (const kernels::Histogram histogram = histogram_->histogram(); histogram.total() > 0) {
      const kernels::HistogramRange range = observed_range(histogram, config_);
      moving_.min.fill_(range.low);
      moving_.max.fill_(range.high);
      const auto [scale, zero_point] = ops::grid_of_range(moving_.min, moving_.max, config_.activation_qmin(),
                                                          config_.qmax(), config_.symmetric);
      moving_.scale.copy_(scale);
      moving_.zero_point.copy_(zero_point);
    }
  }
  if (!grid_.is_empty()) grid_->set(moving_.scale, moving_.zero_point);
}

bool ActivationQuantizer::set_state(QuantizerState state, const std::string& layer) {
  const bool needs_grid = state == QuantizerState::kQuantizing || state == QuantizerState::kFrozen;
  TORCH_CHECK(!needs_grid || has_observed(), "[qat] ", layer,
              ": expected at least one observed batch before ", state_name(state),
              ", got none; run the model in training mode while it observes");
  has_begun_ = has_begun_ || is_on_integers();  // as a checkpoint may have left it
  const bool was_observing = this->state() == QuantizerState::kObserving;
  const bool begins = needs_grid && (was_observing || !has_begun_);
  state_.set(static_cast<std::int64_t>(state));
  if (begins) settle();
  return begins;
}

void ActivationQuantizer::observe(const torch::Tensor& x, const std::string& layer, StepFlags& flags) {
  if (!is_moving() || x.numel() == 0) return;
  const torch::NoGradGuard no_grad;
  const auto [min, max, saw_nan] = ops::min_max(x);
  flags.add({saw_nan, "[qat] " + layer + kNaN});
  record(torch::cat({min, max}), layer, flags);
  if (!histogram_.is_empty()) histogram_->observe(x);
  if (state() == QuantizerState::kObserving && observe_steps_ > 0 && observed_.value() >= observe_steps_)
    set_state(QuantizerState::kQuantizing, layer);
}

void ActivationQuantizer::record(const torch::Tensor& range, const std::string& layer, StepFlags& flags) {
  const torch::NoGradGuard no_grad;
  const ops::MovingGridRule rule{.averaging = config_.averaging,
                                 .qmin = config_.activation_qmin(),
                                 .qmax = config_.qmax(),
                                 .symmetric = config_.symmetric,
                                 .keep_extremes = config_.observer != ObserverKind::kMovingAverage};
  const torch::Tensor is_out_of_range = ops::move_grid(range, moving_, rule);
  observed_.was_incremented();
  flags.add({is_out_of_range, "[qat] " + layer + kInfinity});
}

EstimatedGrid ActivationQuantizer::estimated_grid() const {
  if (!is_learned()) return {moving_.scale, moving_.zero_point, config_.activation_qmin(), config_.qmax()};
  if (state() == QuantizerState::kQuantizing) return grid_->estimated();
  return {grid_->scale(), grid_->zero_point(), config_.activation_qmin(), config_.qmax()};
}

ops::ActivationGrid ActivationQuantizer::grid() const {
  if (is_learned()) return {grid_->scale(), grid_->zero_point(), config_.activation_qmin(), config_.qmax()};
  return {moving_.scale, moving_.zero_point, config_.activation_qmin(), config_.qmax()};
}

kernels::AffineGrid ActivationQuantizer::affine_grid() const {
  const ops::ActivationGrid now = grid();
  return {now.scale.item<float>(), now.zero_point.item<std::int32_t>(), config_.activation_qmin(),
          config_.qmax()};
}

void ActivationQuantizer::to(torch::Device device, torch::Dtype, bool non_blocking) {
  torch::nn::Module::to(device, non_blocking);
}

void ActivationQuantizer::to(torch::Dtype, bool) {}

void ActivationQuantizer::load(torch::serialize::InputArchive& archive) {
  torch::nn::Module::load(archive);
  state_.forget();
  observed_.forget();
}

}  // namespace samebits
