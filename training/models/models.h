// The models that a YAML file can name. Built of QAT layers, which compute as torch's own until they are told
// to quantize.
#pragma once

#include <torch/nn.h>

#include <memory>

#include "training/config.h"

namespace samebits::training {

/// A classifier: images [n, 1, height, width] to logits [n, classes].
class Model : public torch::nn::Module {
 public:
  virtual torch::Tensor forward(const torch::Tensor& x) = 0;
};

struct ImageShape {
  std::int64_t height, width, classes;
};

/// cnn: conv1, relu, max pool 2, conv2, …, flatten, fc1, relu, …, fcN. mlp: flatten, fc1, relu, …, fcN.
/// Parameters are drawn from torch's default generator. Throws c10::Error when the image is too small for the
/// pools.
std::shared_ptr<Model> make_model(const ModelConfig& config, const ImageShape& shape);

}  // namespace samebits::training
