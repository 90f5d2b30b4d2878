#include "torch_ext/modules/qat_layer.h"

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

Tensor QATLayer::compute(const Tensor& x, const Tensor& made_weight, const Tensor& made_bias) {
  weight = made_weight;
  bias = made_bias;
  return compute(x);
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

std::shared_ptr<QATLayer> as_qat_layer(const std::shared_ptr<torch::nn::Module>& module) {
  return std::dynamic_pointer_cast<QATLayer>(module);
}

}  // namespace samebits
