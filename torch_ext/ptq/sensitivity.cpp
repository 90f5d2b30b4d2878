#include "torch_ext/ptq/sensitivity.h"

#include <ATen/CPUGeneratorImpl.h>
#include <torch/autograd.h>

#include <cmath>

#include "quant/encode.h"
#include "torch_ext/modules/layer_watch.h"
#include "torch_ext/ptq/bits.h"
#include "torch_ext/quantizer/layer_quantizer.h"

namespace samebits {
namespace {

using torch::Tensor;

constexpr std::int64_t kHutchinsonSamples = 8;

/// The layer's weight while it is changed, put back bit for bit.
class WeightGuard {
 public:
  explicit WeightGuard(Tensor& weight) : weight_(weight), before_(weight.detach().clone()) {}
  ~WeightGuard() {
    const torch::NoGradGuard no_grad;
    weight_.copy_(before_);
  }
  WeightGuard(const WeightGuard&) = delete;
  WeightGuard& operator=(const WeightGuard&) = delete;
  const Tensor& before() const { return before_; }

 private:
  Tensor& weight_;
  Tensor before_;
};

/// `weight` on the grids of its own ranges: the reals that its codes stand for.
Tensor quantized_reals(const Tensor& weight, const LayerQuantizer& quantizer) {
  const quant::QuantizedTensor tensor = quantizer.quantized_weight(weight);
  Tensor reals = torch::empty(weight.sizes(), torch::kFloat);
  quant::decode(tensor, reals.mutable_data_ptr<float>());
  return reals.to(weight.device());
}

double square_sum(const Tensor& x) {
  return x.to(torch::kDouble).square().sum().item<double>();
}

planner::LayerShape shape_of(const QATLayer& layer, const std::string& path, const Tensor& x,
                             const Tensor& y) {
  return {.path = path,
          .out = layer.weight.size(0),
          .row_length = layer.depth(),
          .positions = y.numel() / layer.weight.size(0),
          .x_elements = x.numel(),
          .y_elements = y.numel()};
}

}  // namespace

SensitivityAnalyzer::SensitivityAnalyzer(const ModelRef& model, const QConfig& config, const Tensor& example)
    : model_(model), config_(config) {
  const EvalGuard eval(model.module);
  const torch::NoGradGuard no_grad;
  const LayerWatch watch([&](const QATLayer& layer, const Tensor& x, const Tensor& y) {
    for (const auto& met : layers_)
      if (met.get() == &layer) return;
    for (const auto& module : model.module.named_modules("", /*include_self=*/false))
      if (module.value().get() == &layer) {
        layers_.push_back(as_qat_layer(module.value()));
        paths_.push_back(module.key());
        shapes_.push_back(shape_of(layer, module.key(), x, y));
      }
  });
  model.forward(example);
  TORCH_CHECK(!layers_.empty(),
              "[sensitivity] model: expected at least one QATLinear or QATConv2d that the example reaches, "
              "got none; build the model of them");
  for (const auto& layer : layers_) {
    states_.push_back({layer->config(), layer->state()});
    layer->set_state(QuantizerState::kFloat);
  }
}

SensitivityAnalyzer::~SensitivityAnalyzer() {
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    layers_[i]->quantizer().set_config(states_[i].config);
    layers_[i]->set_state(states_[i].state);
  }
}

LayerSensitivity SensitivityAnalyzer::analyze(std::size_t index, const std::vector<int>& bits,
                                              const Score& score, double float_score,
                                              const Loss& loss) const {
  QATLayer& layer = *layers_.at(index);
  const WeightGuard guard(layer.weight);
  LayerSensitivity result{.shape = shapes_[index], .kind = layer.kind()};
  if (loss) result.hessian_trace = hessian_trace(layer, loss);
  const double signal = square_sum(guard.before());
  for (const int each : bits) {
    LayerConfig config = at_bits(config_.layer(paths_[index]), each);
    config.estimator = EstimatorKind::kSte;
    if (!layer.quantizer().product().supports_groups()) {
      config.weight.granularity = Granularity::kPerChannel;
      config.weight.group_size = 0;
    }
    layer.quantizer().set_config(config);
    const Tensor reals = quantized_reals(guard.before(), layer.quantizer());
    BitsSensitivity found{.bits = each};
    const double noise = square_sum(reals - guard.before());
    found.sqnr_db = 10.0 * std::log10(signal / noise);
    found.hessian = result.hessian_trace / static_cast<double>(reals.numel()) * noise;
    if (score) {
      const torch::NoGradGuard no_grad;
      layer.weight.copy_(reals);
      found.score_drop = float_score - score();
    }
    result.bits.push_back(found);
  }
  return result;
}

double SensitivityAnalyzer::hessian_trace(QATLayer& layer, const Loss& loss) const {
  const EvalGuard eval(model_.module);
  const bool had_gradient = layer.weight.requires_grad();
  layer.weight.requires_grad_(true);
  const double trace = hutchinson_trace(layer.weight, loss, kHutchinsonSamples, /*seed=*/0);
  layer.weight.requires_grad_(had_gradient);
  return trace;
}

double hutchinson_trace(Tensor& weight, const std::function<Tensor()>& loss, std::int64_t samples,
                        std::uint64_t seed) {
  const WeightGuard guard(weight);
  at::Generator generator = at::detail::createCPUGenerator(seed);
  const double rms = std::sqrt(square_sum(guard.before()) / static_cast<double>(weight.numel()));
  const double step = rms > 0 ? std::ldexp(rms, -7) : std::ldexp(1.0, -7);
  const auto gradient_at = [&](const Tensor& moved) {
    {
      const torch::NoGradGuard no_grad;
      weight.copy_(moved);
    }
    return torch::autograd::grad({loss()}, {weight})[0].to(torch::kDouble);
  };
  double sum = 0;
  for (std::int64_t i = 0; i < samples; ++i) {
    const Tensor bits = torch::randint(0, 2, weight.sizes(), generator, torch::kFloat);
    const Tensor signs = (bits * 2 - 1).to(weight.device());
    const Tensor difference =
        gradient_at(guard.before() + signs * step) - gradient_at(guard.before() - signs * step);
    sum += (difference * signs).sum().item<double>() / (2 * step);
  }
  return sum / static_cast<double>(samples);
}

}  // namespace samebits
