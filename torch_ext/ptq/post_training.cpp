#include "torch_ext/ptq/post_training.h"

#include <torch/nn/functional/fold.h>

#include <algorithm>
#include <cmath>

#include "kernels/observe/min_max.h"
#include "quant/ptq/bias_correction.h"
#include "quant/ptq/gptq.h"
#include "quant/ptq/kl_range.h"
#include "quant/ptq/on_grid.h"
#include "torch_ext/modules/layer_watch.h"
#include "torch_ext/ptq/tails.h"
#include "torch_ext/quantizer/layer_quantizer.h"

namespace samebits {

using torch::Tensor;

/// Sums over the inputs of a layer's products, one a group of a convolution; and the outermost inputs.
struct PostTrainingQuantizer::Moments {
  Tails tails;                  // only for percentiles
  std::int64_t inputs = 0;      // rows of x
  std::vector<Tensor> sum;      // double [features]
  std::vector<Tensor> squares;  // double [features, features]: sum of x xᵀ; only for GPTQ
};

namespace {

std::int64_t group_count(const QATLayer& layer) {
  const auto& window = layer.quantizer().product().window;
  return window.has_value() ? window->groups : 1;
}

/// What each product of the layer multiplies, row by row: [inputs, groups * features].
Tensor product_inputs(const QATLayer& layer, const Tensor& x) {
  const auto& window = layer.quantizer().product().window;
  if (!window.has_value()) return x.reshape({-1, x.size(-1)});
  const auto options = torch::nn::functional::UnfoldFuncOptions({layer.weight.size(2), layer.weight.size(3)})
                           .stride({window->stride[0], window->stride[1]})
                           .padding({window->padding[0], window->padding[1]})
                           .dilation({window->dilation[0], window->dilation[1]});
  const Tensor columns = torch::nn::functional::unfold(x, options);  // [n, channels * kernel, positions]
  return columns.transpose(1, 2).reshape({-1, columns.size(1)});
}

std::vector<float> floats_of(const Tensor& tensor) {
  const Tensor plain = tensor.detach().to(torch::kCPU, torch::kFloat).contiguous();
  const float* values = plain.const_data_ptr<float>();
  return {values, values + plain.numel()};
}

std::vector<double> doubles_of(const Tensor& tensor) {
  const Tensor plain = tensor.contiguous();
  const double* values = plain.const_data_ptr<double>();
  return {values, values + plain.numel()};
}

/// By the histogram where that tells it, else by the values themselves.
kernels::HistogramRange percentile_range(const ActivationRecord& record, const Tails& tails, double p) {
  const kernels::HistogramRange range = kernels::percentile_range(record.histogram, p);
  if (tells(record.histogram, range)) return range;
  const std::optional<kernels::HistogramRange> seen = tails.range(p, record.values);
  return seen.has_value() && seen->low < seen->high ? *seen : range;
}

kernels::HistogramRange chosen_range(const ActivationRecord& record, const Tails& tails,
                                     const PtqConfig& config, const ActivationConfig& activation) {
  const kernels::Histogram& histogram = record.histogram;
  const std::int32_t qmin = activation.activation_qmin(), qmax = activation.qmax();
  if (config.range == RangeRule::kPercentile) return percentile_range(record, tails, config.percentile);
  if (config.range == RangeRule::kKl) return quant::kl_range(histogram, qmin, qmax);
  const kernels::ClippingRange least =
      kernels::least_error_range(histogram, qmin, qmax, activation.symmetric);
  return {least.low, least.high};
}

/// Values outside the range, by the histogram's bins: those wholly outside.
double clipped_percent(const kernels::Histogram& histogram, const kernels::HistogramRange& range) {
  const double low = histogram.range.low;
  const double width = (double{histogram.range.high} - low) / static_cast<double>(kernels::kHistogramBins);
  std::int64_t clipped = 0;
  for (std::int64_t bin = 0; bin < kernels::kHistogramBins; ++bin) {
    const double begin = low + width * static_cast<double>(bin), end = begin + width;
    if (end <= range.low || begin >= range.high) clipped += histogram.counts[bin];
  }
  return 100.0 * static_cast<double>(clipped) / static_cast<double>(histogram.total());
}

}  // namespace

PostTrainingQuantizer::PostTrainingQuantizer(const ModelRef& model, const Prepared& prepared,
                                             const PtqConfig& config)
    : model_(model), prepared_(prepared), config_(config) {
  TORCH_CHECK(config.percentile >= 0.5 && config.percentile <= 1,
              "[ptq] percentile: expected a part in 0.5..1, got ", config.percentile);
  for (const auto& layer : prepared.layers())
    TORCH_CHECK(
        layer->config().estimator != EstimatorKind::kDorefa, "[ptq] ", layer->path(),
        ": expected an estimator that quantizes the weight itself, got dorefa, which quantizes its tanh; "
        "prepare the model with ste");
}

PostTrainingQuantizer::~PostTrainingQuantizer() = default;

bool PostTrainingQuantizer::needs_moments() const {
  return config_.rounding == Rounding::kGptq || config_.corrects_bias;
}

void PostTrainingQuantizer::calibrate(std::int64_t num_batches,
                                      const std::function<Tensor(std::int64_t)>& batch) {
  TORCH_CHECK(num_batches >= 1, "[ptq] calibrate: expected at least 1 batch, got ", num_batches);
  const auto& layers = prepared_.layers();
  records_.assign(layers.size(), {});
  moments_.clear();
  for (std::size_t i = 0; i < layers.size(); ++i) {
    records_[i].path = layers[i]->path();
    moments_.push_back(std::make_unique<Moments>());
  }
  const EvalGuard eval(model_.module);
  const torch::NoGradGuard no_grad;
  const LayerWatch watch([&](const QATLayer& layer, const Tensor& x, const Tensor&) {
    for (std::size_t i = 0; i < layers.size(); ++i)
      if (layers[i].get() == &layer) record(i, layer.has_relu_input() ? torch::relu(x) : x);
  });
  for (std::int64_t i = 0; i < num_batches; ++i) {
    const Tensor x = batch(i);
    TORCH_CHECK(x.numel() > 0, "[ptq] batch ", i, ": expected at least 1 example, got none");
    model_.forward(x);
  }
  for (std::size_t i = 0; i < layers.size(); ++i) {
    ActivationRecord& each = records_[i];
    TORCH_CHECK(each.batches > 0, "[ptq] ", each.path,
                ": expected to be reached by the batches, got no call");
    TORCH_CHECK(each.min < each.max, "[ptq] ", each.path, ": expected inputs that differ, got ", each.min,
                " throughout ", num_batches, " batches; calibrate on real examples");
    each.range = config_.range == RangeRule::kMinMax
                     ? kernels::HistogramRange{each.min, each.max}
                     : chosen_range(each, moments_[i]->tails, config_, layers[i]->config().activation);
    each.clipped_percent = clipped_percent(each.histogram, each.range);
  }
}

void PostTrainingQuantizer::record(std::size_t index, const Tensor& x) {
  ActivationRecord& each = records_[index];
  const Tensor plain = x.detach().to(torch::kCPU, torch::kFloat).contiguous();
  const float* values = plain.const_data_ptr<float>();
  const kernels::MinMax seen = kernels::min_max(values, 0, plain.numel());
  TORCH_CHECK(!seen.saw_nan, "[ptq] ", each.path, ": expected numbers at the input, got NaN in batch ",
              each.batches, "; look at the batch and the layers before");
  TORCH_CHECK(std::isfinite(seen.min) && std::isfinite(seen.max), "[ptq] ", each.path,
              ": expected finite values at the input, got infinity in batch ", each.batches,
              "; look at the batch and the layers before");
  each.min = each.batches == 0 ? seen.min : std::min(each.min, seen.min);
  each.max = each.batches == 0 ? seen.max : std::max(each.max, seen.max);
  each.histogram = kernels::widened(each.histogram, seen);
  kernels::count(values, 0, plain.numel(), each.histogram, kernels::FloatType::kFloat32);
  if (config_.range == RangeRule::kPercentile) moments_[index]->tails.add(plain);
  each.values += plain.numel();
  ++each.batches;
  if (needs_moments()) add_moments(index, x);
}

void PostTrainingQuantizer::add_moments(std::size_t index, const Tensor& x) {
  const QATLayer& layer = *prepared_.layers()[index];
  Moments& moments = *moments_[index];
  const Tensor inputs = product_inputs(layer, x.detach());
  const std::int64_t groups = group_count(layer), features = layer.depth();
  moments.inputs += inputs.size(0);
  for (std::int64_t group = 0; group < groups; ++group) {
    const Tensor part = inputs.narrow(1, group * features, features);
    const Tensor sum = part.sum(0, /*keepdim=*/false, torch::kDouble);
    const bool is_first = static_cast<std::int64_t>(moments.sum.size()) == group;
    if (is_first) moments.sum.push_back(torch::zeros_like(sum));
    moments.sum[group] += sum;
    if (config_.rounding != Rounding::kGptq) continue;
    if (is_first) moments.squares.push_back(torch::zeros({features, features}, torch::kDouble));
    moments.squares[group] += part.t().mm(part).to(torch::kCPU, torch::kDouble);
  }
}

std::vector<WeightResult> PostTrainingQuantizer::quantize_weights() {
  TORCH_CHECK(!records_.empty(),
              "[ptq] quantize_weights: expected calibrated inputs, got none; call calibrate()");
  std::vector<WeightResult> results;
  for (std::size_t i = 0; i < records_.size(); ++i) {
    results.push_back({.path = records_[i].path, .is_done = true, .note = ""});
    if (!needs_moments()) continue;
    QATLayer& layer = *prepared_.layers()[i];
    const Tensor weight = layer.weight.detach().clone();
    const Tensor bias = layer.bias.defined() ? layer.bias.detach().clone() : Tensor();
    try {
      quantize_weight(i);
    } catch (const std::exception& error) {
      const torch::NoGradGuard no_grad;
      layer.weight.copy_(weight);
      if (bias.defined()) layer.bias.copy_(bias);
      const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
      results.back().is_done = false;
      results.back().note = torch_error != nullptr ? torch_error->what_without_backtrace() : error.what();
    }
  }
  return results;
}

void PostTrainingQuantizer::quantize_weight(std::size_t index) {
  QATLayer& layer = *prepared_.layers()[index];
  const Moments& moments = *moments_[index];
  const quant::Encoding encoding = layer.quantizer().weight_encoding();
  const std::vector<float> weight = floats_of(layer.weight);
  const std::int64_t groups = group_count(layer), features = layer.depth(), out = layer.weight.size(0);
  const std::int64_t rows = out / groups;
  const double inputs = static_cast<double>(moments.inputs);
  std::vector<float> reals(weight.size()), added;
  quant::decode(layer.quantized_weight(), reals.data());
  for (std::int64_t group = 0; group < groups; ++group) {
    const auto first = static_cast<std::ptrdiff_t>(group * rows * features), count = rows * features;
    const std::vector<float> part(weight.begin() + first, weight.begin() + first + count);
    if (config_.rounding == Rounding::kGptq) {
      const quant::InputMoment moment{features, doubles_of(moments.squares[group] / inputs)};
      const std::vector<float> rounded = quant::gptq(part, rows, moment, encoding);
      std::copy(rounded.begin(), rounded.end(), reals.begin() + first);
    }
    if (!config_.corrects_bias) continue;
    const std::vector<float> now(reals.begin() + first, reals.begin() + first + count);
    const auto correction =
        quant::bias_correction(part, now, rows, doubles_of(moments.sum[group].to(torch::kCPU) / inputs));
    added.insert(added.end(), correction.begin(), correction.end());
  }
  TORCH_CHECK(quant::lies_on_own_grids(reals, out, features, encoding), "[ptq] ", layer.path(),
              ": expected codes whose reals keep the weight's range, got others; use per-channel weights");
  const torch::NoGradGuard no_grad;
  layer.weight.copy_(torch::tensor(reals).view(layer.weight.sizes()));
  if (config_.corrects_bias && layer.bias.defined())
    layer.bias.add_(torch::tensor(added).to(layer.bias.device()));
}

void PostTrainingQuantizer::freeze() {
  TORCH_CHECK(!records_.empty(), "[ptq] freeze: expected calibrated inputs, got none; call calibrate()");
  for (std::size_t i = 0; i < records_.size(); ++i) {
    QATLayer& layer = *prepared_.layers()[i];
    const kernels::HistogramRange& range = records_[i].range;
    layer.input().configure(layer.config().activation, /*observe_steps=*/0);
    layer.set_state(QuantizerState::kObserving);
    const Tensor ends = torch::tensor({range.low, range.high}).to(layer.weight.device());
    layer.input().record(ends, layer.path(), layer.quantizer().flags());
    layer.set_state(QuantizerState::kFrozen);
  }
}

}  // namespace samebits
