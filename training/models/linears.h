// The fully connected end that models share.
#pragma once

#include <cstdint>
#include <vector>

#include "torch_ext/modules/qat_linear.h"

namespace samebits::training {

/// fc1, relu, …, fcN on flattened input. Each relu is part of the layer behind it.
class Linears {
 public:
  /// Registers the layers in `owner`. `is_input_relu`: the first one is a layer of max(x, 0) too.
  void add(torch::nn::Module& owner, std::int64_t in_features, std::vector<std::int64_t> sizes,
           bool is_input_relu);
  torch::Tensor forward(const torch::Tensor& x);

 private:
  std::vector<QATLinear> layers_;
};

}  // namespace samebits::training
