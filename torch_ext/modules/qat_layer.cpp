#include "torch_ext/modules/qat_layer.h"

#include "torch_ext/modules/layer_watch.h"
#include "torch_ext/quantizer/layer_quantizer.h"

namespace samebits {

using torch::Tensor;

QATLayer::QATLayer(std::string name, Tensor initial_weight, Tensor initial_bias,
                   std::optional<LayerConfig> own_config, const LayerProduct& product)
    : torch::nn::Module(name), own_config_(std::move(own_config)) {
  const bool trains_weight = initial_weight.requires_grad();
  weight = register_parameter("weight", std::move(initial_weight), trains_weight);
  const bool trains_bias = initial_bias.defined() && initial_bias.requires_grad();
  bias = register_parameter("bias", std::move(initial_bias), trains_bias);
  auto input = register_module("input", std::make_shared<ActivationQuantizer>(ActivationConfig()));
  quantizer_ = std::make_unique<LayerQuantizer>(product, std::move(input), std::move(name));
  if (own_config_.has_value()) quantizer_->set_config(*own_config_);
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
  quantizer_->input().set_state(state, path());
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
}

Tensor QATLayer::float_forward(const Tensor& x) const {
  return quantizer_->run_float(x, {weight, bias});
}

Tensor QATLayer::compute(const Tensor& x) {
  Tensor y = quantizer_->run(x, {weight, bias});
  LayerWatch::report(*this, x, y);
  return y;
}

void QATLayer::copy_to(QATLayer& copy, const std::optional<torch::Device>& device) const {
  copy.quantizer_->adopt(*quantizer_);
  const auto from = input().named_buffers(), to = copy.input().named_buffers();
  for (const auto& buffer : from) to[buffer.key()].copy_(buffer.value());
  copy.train(is_training());
  copy.weight.set_requires_grad(weight.requires_grad());
  if (bias.defined()) copy.bias.set_requires_grad(bias.requires_grad());
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
