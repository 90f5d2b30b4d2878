#include "torch_ext/modules/qat_layer.h"

#include "torch_ext/modules/joined_batch_norm.h"
#include "torch_ext/modules/layer_watch.h"
#include "torch_ext/quantizer/layer_quantizer.h"

namespace samebits {

using torch::Tensor;

QATLayer::QATLayer(std::string name, Tensor initial_weight, Tensor initial_bias,
                   std::optional<LayerConfig> own_config, const LayerProduct& product)
    : QATLayer(std::move(name), product, std::move(initial_weight), std::move(initial_bias), /*owns=*/true) {
  own_config_ = std::move(own_config);
  if (own_config_.has_value()) quantizer_->set_config(*own_config_);
}

QATLayer::QATLayer(std::string name, const LayerProduct& product, Tensor weight_of, Tensor bias_of, bool owns)
    : torch::nn::Module(name), weight(std::move(weight_of)), bias(std::move(bias_of)) {
  if (owns) {
    weight = register_parameter("weight", weight, weight.requires_grad());
    bias = register_parameter("bias", bias, bias.defined() && bias.requires_grad());
  }
  auto input = register_module("input", std::make_shared<ActivationQuantizer>(ActivationConfig()));
  quantizer_ = std::make_unique<LayerQuantizer>(product, std::move(input), std::move(name));
}

QATLayer::~QATLayer() = default;

const char* QATLayer::kind() const {
  return quantizer_->product().kind();
}
std::int64_t QATLayer::depth() const {
  return weight.numel() / weight.size(0);
}
const LayerConfig& QATLayer::config() const {
  return quantizer_->config();
}
const std::string& QATLayer::path() const {
  return quantizer_->path();
}
QuantizerState QATLayer::state() const {
  return quantizer_->input().state();
}
void QATLayer::set_state(QuantizerState state) {
  quantizer_->set_state(state, weight);
}
void QATLayer::skip() {
  quantizer_->skip();
}
bool QATLayer::is_skipped() const {
  return quantizer_->is_skipped();
}
bool QATLayer::has_relu_input() const {
  return quantizer_->product().has_relu_input;
}
ActivationQuantizer& QATLayer::input() const {
  return quantizer_->input();
}
ops::WeightGrid QATLayer::weight_grid() const {
  return quantizer_->weight_grid(weight);
}
quant::QuantizedTensor QATLayer::quantized_weight() const {
  return quantizer_->quantized_weight(weight);
}

void QATLayer::configure(const LayerConfig& config, const std::string& path, std::int64_t observe_steps) {
  quantizer_->configure(config, path, observe_steps, weight);
  register_weight_grid();
}

/// The trained scales of the weight are a child, so that optimizers and files find them.
void QATLayer::register_weight_grid() {
  constexpr char kName[] = "weight_grid";
  if (named_children().contains(kName)) unregister_module(kName);
  if (const LearnedGrid& grid = quantizer_->learned_weight_grid(); !grid.is_empty())
    register_module(kName, grid);
}

void QATLayer::join(std::shared_ptr<JoinedBatchNormImpl> batch_norm) {
  TORCH_CHECK(batch_norm == nullptr || batch_norm->channels() == weight.size(0), "[", kind(), "] ", path(),
              ": expected a batch norm of ", weight.size(0), " channels, one an output, got ",
              batch_norm == nullptr ? 0 : batch_norm->channels());
  batch_norm_ = std::move(batch_norm);
}

void QATLayer::add_batch_norm(const torch::nn::BatchNormOptions& options) {
  join(std::make_shared<JoinedBatchNormImpl>(options));
  register_module("bn", batch_norm_);
}

Tensor QATLayer::float_forward(const Tensor& x) const {
  const Tensor y = quantizer_->run_float(x, {weight, bias});
  return batch_norm_ == nullptr ? y : batch_norm_->normalize_by_running(y);
}

Tensor QATLayer::normalized(const Tensor& x) {
  if (!batch_norm_->uses_batch_statistics(is_training()) && quantizer_->computes_what_ships()) {
    const FoldedBatchNorm folded = batch_norm_->folded(bias);
    return quantizer_->run(x, {weight, folded.bias, folded.scale});
  }
  const Tensor y = quantizer_->run(x, {weight, bias});
  TORCH_CHECK(quantizer_->product().window.has_value() || y.dim() == 2, "[linear] ", path(),
              ": expected [batch, in_features] before a batch norm, got shape ", x.sizes(),
              "; call the batch norm on its own");
  return batch_norm_->uses_batch_statistics(is_training()) ? batch_norm_->normalize_by_batch(y)
                                                           : batch_norm_->normalize_by_running(y);
}

Tensor QATLayer::compute(const Tensor& x) {
  Tensor y = batch_norm_ == nullptr ? quantizer_->run(x, {weight, bias}) : normalized(x);
  LayerWatch::report(*this, x, y);
  return y;
}

Tensor QATLayer::compute(const Tensor& x, const Tensor& made_weight, const Tensor& made_bias) {
  weight = made_weight;
  bias = made_bias;
  return compute(x);
}

void QATLayer::copy_to(QATLayer& copy, const std::optional<torch::Device>& device) const {
  copy.quantizer_->adopt(*quantizer_);
  copy.register_weight_grid();
  const auto copy_tensors = [](const torch::nn::Module& from, const torch::nn::Module& to) {
    const auto buffers = to.named_buffers(), parameters = to.named_parameters();
    for (const auto& each : from.named_buffers()) buffers[each.key()].copy_(each.value());
    for (const auto& each : from.named_parameters()) parameters[each.key()].copy_(each.value());
  };
  copy_tensors(input(), copy.input());
  if (const LearnedGrid& grid = quantizer_->learned_weight_grid(); !grid.is_empty())
    copy_tensors(*grid, *copy.quantizer_->learned_weight_grid());
  copy.train(is_training());
  copy.weight.set_requires_grad(weight.requires_grad());
  if (bias.defined()) copy.bias.set_requires_grad(bias.requires_grad());
  if (batch_norm_ != nullptr) {
    copy.join(batch_norm_->clone_for_layer(device));
    if (named_children().contains("bn")) copy.register_module("bn", copy.batch_norm_);
  }
  if (device.has_value()) copy.to(*device);
}

namespace {

constexpr const char* kSchemeKey = "scheme";

/// What a saved layer computes with: "float", or the scheme of its integers.
std::string scheme_now(const QATLayer& layer) {
  const bool is_float = layer.is_skipped() || layer.state() == QuantizerState::kFloat;
  return is_float ? "float" : scheme_text(layer.config());
}

}  // namespace

void QATLayer::save(torch::serialize::OutputArchive& archive) const {
  torch::nn::Module::save(archive);
  archive.write(kSchemeKey, c10::IValue(scheme_now(*this)));
}

void QATLayer::load(torch::serialize::InputArchive& archive) {
  c10::IValue saved;
  if (archive.try_read(kSchemeKey, saved) && saved.toStringRef() != "float")
    TORCH_CHECK(!is_skipped() && saved.toStringRef() == scheme_text(config()), "[load] ", path(),
                ": expected the scheme of this layer, ", is_skipped() ? "float" : scheme_text(config()),
                ", got a checkpoint of ", saved.toStringRef(),
                "; prepare the model with the configuration that it was trained with before loading");
  torch::nn::Module::load(archive);
}

std::shared_ptr<QATLayer> as_qat_layer(const std::shared_ptr<torch::nn::Module>& module) {
  return std::dynamic_pointer_cast<QATLayer>(module);
}

}  // namespace samebits
