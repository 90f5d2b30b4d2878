#include "training/models/linears.h"

#include <string>

namespace samebits::training {

void Linears::add(torch::nn::Module& owner, std::int64_t in_features, std::vector<std::int64_t> sizes,
                  bool is_input_relu) {
  for (const std::int64_t size : sizes) {
    const auto options = QATLinearOptions(in_features, size).relu_input(is_input_relu || !layers_.empty());
    layers_.push_back(owner.register_module("fc" + std::to_string(layers_.size() + 1), QATLinear(options)));
    in_features = size;
  }
}

torch::Tensor Linears::forward(const torch::Tensor& x) {
  torch::Tensor y = torch::flatten(x, 1);
  for (QATLinear& layer : layers_) y = layer->forward(y);
  return y;
}

}  // namespace samebits::training
