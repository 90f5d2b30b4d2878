#include "torch_ext/modules/qat_layer.h"

#include "csrc/observe/min_max.h"
#include "csrc/quantize/quantize.h"
#include "kernels/matmul/linear.h"
#include "torch_ext/modules/layer_watch.h"
#include "torch_ext/modules/relu.h"

namespace samebits {
namespace {

// Not item() on the CPU: a trace would record it.
bool saw(const torch::Tensor& flag) {
  return flag.is_cpu() ? flag.const_data_ptr<bool>()[0] : flag.item<bool>();
}

bool all_finite(const torch::Tensor& values) {
  return saw(torch::isfinite(values).all());
}

constexpr const char* kNanInWeight =
    ": expected numbers in the weight, got NaN; look at the learning rate and the loss before this step";
constexpr const char* kInfinityInWeight =
    ": expected finite values in the weight, got infinity; look at the learning rate";

}  // namespace

QATLayer::QATLayer(std::string name, torch::Tensor initial_weight, torch::Tensor initial_bias,
                   std::optional<LayerConfig> own_config, bool has_relu_input)
    : torch::nn::Module(name),
      own_config_(std::move(own_config)),
      path_(std::move(name)),
      has_relu_input_(has_relu_input) {
  weight = register_parameter("weight", std::move(initial_weight));
  const bool has_bias = initial_bias.defined();
  bias = register_parameter("bias", std::move(initial_bias), has_bias);
  input_ = register_module("input", std::make_shared<ActivationQuantizer>(ActivationConfig()));
  if (own_config_.has_value()) config_ = *own_config_;
}

void QATLayer::configure(const LayerConfig& config, const std::string& path, std::int64_t observe_steps) {
  config_ = config;
  path_ = path;
  if (!supports_groups() && config_.weight.granularity == Granularity::kPerGroup) {
    config_.weight.granularity = Granularity::kPerChannel;
    config_.weight.group_size = 0;
  }
  check_depth();
  input_->configure(config_.activation, observe_steps);
}

void QATLayer::check_depth() const {
  const WeightConfig& w = config_.weight;
  const ActivationConfig& a = config_.activation;
  const std::int32_t magnitude = kernels::max_weight_magnitude(w.weight_qmin(), w.qmax(), w.symmetric);
  const std::int64_t bound = kernels::max_depth(a.activation_qmin(), a.qmax(), magnitude);
  const std::int64_t sum_length = w.group_size > 0 ? std::min(depth(), w.group_size) : depth();
  const char* what = supports_groups() ? "in_features" : "in_channels / groups * kernel size";
  TORCH_CHECK(sum_length <= bound, "[", kind(), "] ", path_, ": expected ", what, " <= ", bound, " for int",
              w.bits, " sums in int32, got ", depth(), "; use ", w.bits - 1,
              "-bit weights or split the layer");
}

ops::WeightGrid QATLayer::weight_grid() const {
  torch::NoGradGuard no_grad;
  const WeightConfig& w = config_.weight;
  const std::int64_t rows = w.granularity == Granularity::kPerTensor ? 1 : weight.size(0);
  const auto [min, max, saw_nan] = ops::min_max(weight, rows, w.group_size);
  TORCH_CHECK(!saw(saw_nan), "[qat] ", path_, kNanInWeight);
  TORCH_CHECK(all_finite(min) && all_finite(max), "[qat] ", path_, kInfinityInWeight);
  const auto [scale, zero_point] = ops::grid_of_range(min, max, w.weight_qmin(), w.qmax(), w.symmetric);
  ops::WeightGrid grid{scale, std::nullopt, w.weight_qmin(), w.qmax(), w.group_size};
  if (!w.symmetric) grid.zero_point = zero_point;
  return grid;
}

QuantizedWeight QATLayer::quantized_weight() const {
  torch::NoGradGuard no_grad;
  const ops::WeightGrid grid = weight_grid();
  const torch::Tensor zero_point =
      grid.zero_point.value_or(torch::zeros_like(grid.scale, grid.scale.options().dtype(torch::kInt)));
  const auto [codes, clip_mask, saw_nan] =
      ops::quantize(weight, grid.scale, zero_point, grid.qmin, grid.qmax, 0, grid.group_size);
  return {codes, grid.scale, grid.zero_point.value_or(torch::Tensor())};
}

ops::PackedWeight QATLayer::packed_weight() const {
  const WeightConfig& w = config_.weight;
  const ops::WeightScheme scheme{w.weight_qmin(), w.qmax(), w.symmetric,
                                 w.granularity == Granularity::kPerTensor, w.group_size};
  const ops::WeightPacking made = ops::pack_weight(weight, scheme, weight_order());
  TORCH_CHECK(!made.saw_nan, "[qat] ", path_, kNanInWeight);
  TORCH_CHECK(!made.saw_infinity, "[qat] ", path_, kInfinityInWeight);
  return made.weight;
}

torch::Tensor QATLayer::float_forward(const torch::Tensor& x) const {
  return float_product(has_relu_input_ ? samebits::relu(x) : x);
}

torch::Tensor QATLayer::compute(const torch::Tensor& x) {
  const QuantizerState now = state();
  torch::Tensor y;
  if (now == QuantizerState::kFloat || now == QuantizerState::kObserving) {
    const torch::Tensor input = has_relu_input_ ? samebits::relu(x) : x;
    input_->observe(input, path_);
    y = float_product(input);
  } else {
    // The grid is that of the batches before; this batch's range moves the next one.
    const ops::LayerOptions options{has_relu_input_, input_->is_moving() && x.numel() > 0, config_.backward};
    const ops::LayerOutput out = integer_forward(x, input_->grid(), packed_weight(), options);
    TORCH_CHECK(!saw(out.saw_nan), "[qat] ", path_,
                ": expected numbers at the input, got NaN; look at the batch, the layer before and the "
                "learning rate");
    if (options.observe) input_->record(out.x_range, path_);
    y = out.y;
  }
  LayerWatch::report(*this, x, y);
  return y;
}

std::shared_ptr<QATLayer> as_qat_layer(const std::shared_ptr<torch::nn::Module>& module) {
  return std::dynamic_pointer_cast<QATLayer>(module);
}

}  // namespace samebits
