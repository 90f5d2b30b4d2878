// What every trainable model is: a module with one tensor in and one out.
#pragma once

#include <torch/nn.h>

#include <cstdint>
#include <vector>

namespace samebits::training {

/// x [n, …] to outputs [n, …].
class Model : public torch::nn::Module {
 public:
  virtual torch::Tensor forward(const torch::Tensor& x) = 0;
};

/// What the data ask of a model: one input without its batch, {channels, height, width} of images, and how
/// many outputs.
struct ExampleShape {
  std::vector<std::int64_t> input;
  std::int64_t outputs;
};

}  // namespace samebits::training
