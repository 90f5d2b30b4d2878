#include "torch_ext/quantizer/layer_quantizer.h"

#include <torch/nn.h>

#include <algorithm>
#include <cmath>

#include "csrc/float/float_conv2d.h"
#include "csrc/float/float_linear.h"
#include "csrc/float/relu.h"
#include "csrc/observe/min_max.h"
#include "quant/encode.h"

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

std::optional<Tensor> optional(const Tensor& tensor) {
  return tensor.defined() ? std::optional(tensor) : std::nullopt;
}

}  // namespace

LayerQuantizer::LayerQuantizer(LayerProduct product, std::shared_ptr<ActivationQuantizer> input,
                               std::string name)
    : product_(std::move(product)), path_(std::move(name)), input_(std::move(input)) {}

void LayerQuantizer::configure(const LayerConfig& asked, const std::string& path, std::int64_t observe_steps,
                               const Tensor& weight) {
  check(asked, path, weight);
  config_ = narrowed(asked, product_);
  path_ = path;
  is_skipped_ = false;
  input_->configure(config_.activation, observe_steps);
}

void LayerQuantizer::skip() {
  input_->set_state(QuantizerState::kFloat, path_);
  is_skipped_ = true;
}

void LayerQuantizer::adopt(const LayerQuantizer& other) {
  config_ = other.config_;
  path_ = other.path_;
  is_skipped_ = other.is_skipped_;
  input_->configure(config_.activation, other.input_->observe_steps());
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

quant::QuantizedTensor LayerQuantizer::quantized_weight(const Tensor& weight_any) const {
  const Tensor weight = weight_any.detach().cpu().contiguous();
  const float* values = weight.const_data_ptr<float>();
  const auto is_nan = [](float value) { return std::isnan(value); };
  const auto is_infinite = [](float value) { return std::isinf(value); };
  TORCH_CHECK(std::none_of(values, values + weight.numel(), is_nan), "[qat] ", path_, kNaNInWeight);
  TORCH_CHECK(std::none_of(values, values + weight.numel(), is_infinite), "[qat] ", path_, kInfinityInWeight);
  return quant::encode(values, weight.sizes().vec(), weight_encoding());
}

bool LayerQuantizer::is_on_integers() const {
  return input_->state() == QuantizerState::kQuantizing || input_->state() == QuantizerState::kFrozen;
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
  // The grid is that of the batches before; this batch's range moves the next one.
  return multiply_codes_on(input_->grid(), input_->is_moving() && x.numel() > 0, x, parameters);
}

Tensor LayerQuantizer::multiply_codes_on(const ops::ActivationGrid& grid, bool observes, const Tensor& x,
                                         const LayerParameters& parameters) {
  const ops::EncodedLayerOutput out = call({.x = x,
                                            .weight = parameters.weight,
                                            .bias = optional(parameters.bias),
                                            .x_grid = grid,
                                            .encoding = weight_encoding(),
                                            .options = {product_.has_relu_input, observes, config_.backward},
                                            .channel_scale = optional(parameters.channel_scale)});
  flags_->add({out.weight_not_finite, "[qat] " + path_ + kNaNInWeight, ops::kSawNaN});
  flags_->add({out.weight_not_finite, "[qat] " + path_ + kInfinityInWeight, ops::kSawInfinity});
  flags_->add({out.layer.saw_nan, "[qat] " + path_ + kNaNAtInput});
  if (observes) {
    recent_.remember(grid, out.layer.x_range);
    input_->record(out.layer.x_range, path_, *flags_);
  }
  if (flags_->pending() > 0 && out.layer.y.requires_grad())
    out.layer.y.register_hook([flags = flags_](const Tensor& grad) -> Tensor {
      flags->end_step();
      return grad;
    });
  return out.layer.y;
}

ops::EncodedLayerOutput LayerQuantizer::call(const ops::LayerCall& call) const {
  if (product_.window.has_value()) return ops::call_operator(ops::EncodedConv2dCall{call, *product_.window});
  return ops::call_operator(ops::EncodedLinearCall{call});
}

}  // namespace samebits
