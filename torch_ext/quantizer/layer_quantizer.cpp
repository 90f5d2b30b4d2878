#include "torch_ext/quantizer/layer_quantizer.h"

#include <torch/nn.h>

#include <algorithm>
#include <cmath>

#include "csrc/float/float_conv2d.h"
#include "csrc/float/float_linear.h"
#include "csrc/float/relu.h"
#include "csrc/observe/min_max.h"
#include "quant/encode.h"
#include "quant/least_error_grids.h"

namespace samebits {
namespace {

using torch::Tensor;

constexpr const char* kNaNAtInput =
    ": expected numbers at the input, got NaN; look at the batch, the layer before and the learning rate";
constexpr const char* kNaNInWeight =
    ": expected numbers in the weight, got NaN; look at the learning rate and the loss before this step";
constexpr const char* kInfinityInWeight =
    ": expected finite values in the weight, got infinity; look at the learning rate";

std::int64_t depth_of(const Tensor& weight) {
  return weight.numel() / std::max<std::int64_t>(weight.size(0), 1);
}

/// Groups become channels where a layer has none.
LayerConfig narrowed(LayerConfig config, const LayerProduct& product) {
  if (!product.supports_groups() && config.weight.granularity == Granularity::kPerGroup) {
    config.weight.granularity = Granularity::kPerChannel;
    config.weight.group_size = 0;
  }
  return config;
}

/// A tensor's values on the host.
template <class T>
std::vector<T> values_of(const Tensor& tensor) {
  const Tensor plain = tensor.detach().cpu().contiguous();
  return {plain.const_data_ptr<T>(), plain.const_data_ptr<T>() + plain.numel()};
}

std::optional<Tensor> optional(const Tensor& tensor) {
  return tensor.defined() ? std::optional(tensor) : std::nullopt;
}

}  // namespace

LayerQuantizer::LayerQuantizer(LayerProduct product, std::shared_ptr<ActivationQuantizer> input,
                               std::string name)
    : product_(std::move(product)),
      estimator_(make_estimator(LayerConfig())),
      path_(std::move(name)),
      input_(std::move(input)) {}

void LayerQuantizer::configure(const LayerConfig& asked, const std::string& path, std::int64_t observe_steps,
                               const Tensor& weight) {
  check(asked, path, weight);
  set_config(narrowed(asked, product_));
  path_ = path;
  is_skipped_ = false;
  input_->configure(config_.activation, observe_steps);
  input_->learn(estimator_->learned(Operand::kInput));
  make_weight_grid(weight);
}

void LayerQuantizer::set_config(const LayerConfig& config) {
  config_ = config;
  estimator_ = make_estimator(config);
}

void LayerQuantizer::make_weight_grid(const Tensor& weight) {
  const LearnedPart part = estimator_->learned(Operand::kWeight);
  weight_grid_ = nullptr;
  if (part == LearnedPart::kNothing) return;
  const quant::Encoding encoding = weight_encoding();
  weight_grid_ = LearnedGrid(
      ops::empty_weight_grid(weight, encoding).scale.sizes().vec(),
      LearnedGridImpl::Codes{encoding.qmin, encoding.qmax, encoding.symmetric, encoding.group_size}, part);
  weight_grid_->to(weight.device());
}

void LayerQuantizer::set_state(QuantizerState state, const Tensor& weight) {
  if (input_->set_state(state, path_)) begin_weight_grid(weight);
}

void LayerQuantizer::begin_weight_grid(const Tensor& weight) {
  if (weight_grid_.is_empty()) return;
  const torch::NoGradGuard no_grad;
  const std::vector<float> values = finite_values(estimator_->transformed(weight));
  const quant::Grids grids = quant::least_error_grids(values.data(), weight.size(0),
                                                      weight.numel() / weight.size(0), weight_encoding());
  const Tensor scale = torch::tensor(grids.scale);
  const Tensor zero_point = grids.zero_point.empty() ? torch::zeros_like(scale, torch::kInt)
                                                     : torch::tensor(grids.zero_point, torch::kInt);
  weight_grid_->set(scale.to(weight.device()), zero_point.to(weight.device()));
}

void LayerQuantizer::skip() {
  input_->set_state(QuantizerState::kFloat, path_);
  is_skipped_ = true;
}

void LayerQuantizer::adopt(const LayerQuantizer& other) {
  set_config(other.config_);
  path_ = other.path_;
  is_skipped_ = other.is_skipped_;
  input_->configure(config_.activation, other.input_->observe_steps());
  input_->learn(estimator_->learned(Operand::kInput));
  weight_grid_ = nullptr;
  if (const LearnedGrid& grid = other.weight_grid_; !grid.is_empty())
    weight_grid_ = LearnedGrid(grid->shape(), grid->codes(), grid->learned());
}

void LayerQuantizer::check(const LayerConfig& asked, const std::string& path, const Tensor& weight) const {
  const LayerConfig config = narrowed(asked, product_);
  const WeightConfig& w = config.weight;
  const ActivationConfig& a = config.activation;
  const std::int32_t magnitude = kernels::max_weight_magnitude(w.weight_qmin(), w.qmax(), w.symmetric);
  const std::int64_t bound = kernels::max_depth(a.activation_qmin(), a.qmax(), magnitude),
                     depth = depth_of(weight);
  const std::int64_t sum_length = w.group_size > 0 ? std::min(depth, w.group_size) : depth;
  TORCH_CHECK(sum_length <= bound, "[", product_.kind(), "] ", path, ": expected ", product_.depth_name(),
              " <= ", bound, " for int", w.bits, " sums in int32, got ", depth, "; use ", w.bits - 1,
              "-bit weights or split the layer");
}

quant::Encoding LayerQuantizer::weight_encoding() const {
  const WeightConfig& w = config_.weight;
  return {.bits = w.bits,
          .qmin = w.weight_qmin(),
          .qmax = w.qmax(),
          .symmetric = w.symmetric,
          .granularity = static_cast<quant::Granularity>(w.granularity),
          .group_size = w.group_size};
}

ops::WeightGrid LayerQuantizer::weight_grid(const Tensor& weight) const {
  const torch::NoGradGuard no_grad;
  const quant::QuantizedTensor quantized = quantized_weight(weight);
  ops::WeightGrid grid = ops::empty_weight_grid(weight, quantized.encoding);
  grid.scale.copy_(torch::tensor(quantized.scale).view_as(grid.scale));
  if (grid.zero_point.has_value())
    grid.zero_point->copy_(torch::tensor(quantized.zero_point, torch::kInt).view_as(*grid.zero_point));
  return grid;
}

/// For weights: throws c10::Error that names the layer.
std::vector<float> LayerQuantizer::finite_values(const Tensor& weight) const {
  std::vector<float> values = values_of<float>(weight);
  const auto is_nan = [](float value) { return std::isnan(value); };
  const auto is_infinite = [](float value) { return std::isinf(value); };
  TORCH_CHECK(std::ranges::none_of(values, is_nan), "[qat] ", path_, kNaNInWeight);
  TORCH_CHECK(std::ranges::none_of(values, is_infinite), "[qat] ", path_, kInfinityInWeight);
  return values;
}

quant::QuantizedTensor LayerQuantizer::quantized_weight(const Tensor& weight) const {
  const torch::NoGradGuard no_grad;
  const std::vector<float> values = finite_values(estimator_->transformed(weight));
  const quant::Encoding encoding = weight_encoding();
  if (weight_grid_.is_empty() || !is_on_integers())
    return quant::encode(values.data(), weight.sizes().vec(), encoding);
  quant::Grids grids{values_of<float>(weight_grid_->scale()), {}};
  if (!encoding.symmetric) grids.zero_point = values_of<std::int32_t>(weight_grid_->zero_point());
  return quant::encode_on(values.data(), weight.sizes().vec(), encoding, std::move(grids));
}

bool LayerQuantizer::is_on_integers() const {
  return input_->is_on_integers();
}

bool LayerQuantizer::computes_what_ships() const {
  if (RecentForwards::is_again() && recent_.were_float()) return false;
  return is_on_integers() || (is_skipped_ && !input_->is_training());
}

Tensor LayerQuantizer::run(const Tensor& x, const LayerParameters& parameters) {
  const auto input_of_product = [&] { return product_.has_relu_input ? std::get<0>(ops::relu(x)) : x; };
  if (RecentForwards::is_again()) {
    const auto range = [&] {
      const auto [min, max, saw_nan] = ops::min_max(input_of_product().detach());
      return torch::cat({min, max});
    };
    if (const auto* earlier = recent_.find(range, path_)) return run_again(*earlier, x, parameters);
  }
  if (!input_->is_moving()) recent_.forget();
  if (is_on_integers()) return multiply_codes(x, parameters);
  const Tensor input = input_of_product();
  const bool is_moving = input_->is_moving();
  input_->observe(input, path_, *flags_);
  if (is_on_integers()) begin_weight_grid(parameters.weight);  // it observed enough: from the next batch on
  const bool is_exact = computes_what_ships();
  if (is_moving) recent_.remember_float(is_exact);
  return is_exact ? multiply_floats_exactly(input, parameters) : multiply_floats(input, parameters);
}

Tensor LayerQuantizer::run_again(const RecentForwards::Forward& earlier, const Tensor& x,
                                 const LayerParameters& parameters) {
  if (earlier.grid.has_value()) return multiply_codes_on(*earlier.grid, /*observes=*/false, x, parameters);
  const Tensor input = product_.has_relu_input ? std::get<0>(ops::relu(x)) : x;
  return earlier.is_exact ? multiply_floats_exactly(input, parameters) : multiply_floats(input, parameters);
}

Tensor LayerQuantizer::run_float(const Tensor& x, const LayerParameters& parameters) const {
  return multiply_floats(product_.has_relu_input ? std::get<0>(ops::relu(x)) : x, parameters);
}

Tensor LayerQuantizer::multiply_floats(const Tensor& x, const LayerParameters& parameters) const {
  const auto& [weight, bias, channel_scale] = parameters;
  TORCH_INTERNAL_ASSERT(!channel_scale.defined());
  if (product_.is_aten_linear) return at::linear(x, weight, optional(bias));
  if (!product_.window.has_value()) return torch::nn::functional::linear(x, weight, bias);
  const ops::Conv2dWindow& w = *product_.window;
  return torch::conv2d(x, weight, bias, w.stride, w.padding, w.dilation, w.groups);
}

Tensor LayerQuantizer::multiply_floats_exactly(const Tensor& x, const LayerParameters& parameters) const {
  const auto& [weight, bias, channel_scale] = parameters;
  if (!product_.window.has_value())
    return ops::float_linear(x, weight, optional(bias), optional(channel_scale));
  return ops::float_conv2d(x, weight, optional(bias), *product_.window, optional(channel_scale));
}

Tensor LayerQuantizer::multiply_codes(const Tensor& x, const LayerParameters& parameters) {
  if (is_estimated()) return multiply_estimated(x, parameters);
  // The grid is that of the batches before; this batch's range moves the next one.
  return multiply_codes_on(input_->grid(), input_->is_moving() && x.numel() > 0, x, parameters);
}

Tensor LayerQuantizer::multiply_codes_on(const ops::ActivationGrid& grid, bool observes, const Tensor& x,
                                         const LayerParameters& parameters) {
  const ops::EncodedLayerOutput out = call({.x = x,
                                            .weight = estimator_->transformed(parameters.weight),
                                            .bias = optional(parameters.bias),
                                            .x_grid = grid,
                                            .encoding = weight_encoding(),
                                            .options = {product_.has_relu_input, observes, config_.backward},
                                            .channel_scale = optional(parameters.channel_scale)});
  flags_->add({out.weight_not_finite, "[qat] " + path_ + kNaNInWeight, ops::kSawNaN});
  flags_->add({out.weight_not_finite, "[qat] " + path_ + kInfinityInWeight, ops::kSawInfinity});
  flag_nan_at_input(out.layer.saw_nan);
  if (observes) {
    recent_.remember(grid, out.layer.x_range);
    input_->record(out.layer.x_range, path_, *flags_);
  }
  read_flags_in_backward(out.layer.y);
  return out.layer.y;
}

void LayerQuantizer::flag_nan_at_input(const Tensor& saw_nan) {
  flags_->add({saw_nan, "[qat] " + path_ + kNaNAtInput});
}

void LayerQuantizer::flag_weight(const Tensor& weight) {
  const torch::NoGradGuard no_grad;
  const auto [min, max, saw_nan] = ops::min_max(weight.detach());
  flags_->add({saw_nan, "[qat] " + path_ + kNaNInWeight});
  flags_->add({(min.isinf() | max.isinf()).squeeze(), "[qat] " + path_ + kInfinityInWeight});
}

/// A trained scale that is NaN.
void LayerQuantizer::flag_scale(const Tensor& scale, const char* of) {
  const torch::NoGradGuard no_grad;
  flags_->add({scale.detach().isnan().any(), "[qat] " + path_ + ": expected a number as the scale of its " +
                                                 of + ", got NaN; lower qat.scale_lr, or the learning rate"});
}

void LayerQuantizer::read_flags_in_backward(const Tensor& y) {
  if (flags_->pending() == 0 || !y.requires_grad()) return;
  y.register_hook([flags = flags_](const Tensor& grad) -> Tensor {
    flags->end_step();
    return grad;
  });
}

ops::EncodedLayerOutput LayerQuantizer::call(const ops::LayerCall& call) const {
  if (product_.window.has_value()) return ops::call_operator(ops::EncodedConv2dCall{call, *product_.window});
  return ops::call_operator(ops::EncodedLinearCall{call});
}

}  // namespace samebits
