// The feed-forward half of a small transformer, 4 x (768 -> 3072 -> relu -> 768), as float layers and as QAT
// layers.
#pragma once

#include <torch/nn.h>

#include <string>
#include <vector>

#include "torch_ext/modules/qat_linear.h"

namespace samebits::benchmark {

constexpr std::int64_t kFfnBlocks = 4, kFfnWidth = 768, kFfnHidden = 3072;

/// As anyone writes it.
struct FloatFfn : torch::nn::Module {
  std::vector<torch::nn::Linear> layers;
  FloatFfn() {
    for (std::int64_t i = 0; i < kFfnBlocks; ++i) {
      layers.push_back(register_module("up" + std::to_string(i), torch::nn::Linear(kFfnWidth, kFfnHidden)));
      layers.push_back(register_module("down" + std::to_string(i), torch::nn::Linear(kFfnHidden, kFfnWidth)));
    }
  }
  torch::Tensor forward(torch::Tensor x) {
    for (std::size_t i = 0; i < layers.size(); i += 2) x = layers[i + 1](torch::relu(layers[i](x)));
    return x;
  }
};

/// The same on integers; the relu belongs to the input of the second layer.
struct QatFfn : torch::nn::Module {
  std::vector<QATLinear> layers;
  QatFfn() {
    for (std::int64_t i = 0; i < kFfnBlocks; ++i) {
      layers.push_back(register_module("up" + std::to_string(i), QATLinear(kFfnWidth, kFfnHidden)));
      layers.push_back(register_module("down" + std::to_string(i),
                                       QATLinear(QATLinearOptions(kFfnHidden, kFfnWidth).relu_input(true))));
    }
  }
  torch::Tensor forward(torch::Tensor x) {
    for (QATLinear& layer : layers) x = layer->forward(x);
    return x;
  }
};

}  // namespace samebits::benchmark
