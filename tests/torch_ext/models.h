// What the tests of the QAT modules share: small models, a call's error as text, and comparison by bits.
#pragma once

#include <gmock/gmock.h>
#include <torch/torch.h>

#include <string>

#include "torch_ext/qat_conv2d.h"
#include "torch_ext/qat_linear.h"

namespace samebits {

/// The text of the error that `run` throws, or "no error".
template <class Run>
std::string error_of(Run run) {
  try {
    run();
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  } catch (const std::exception& error) {
    return error.what();
  }
  return "no error";
}

/// The same shape and the same bits.
inline bool same_bits(const torch::Tensor& a, const torch::Tensor& b) {
  return a.sizes() == b.sizes() && torch::equal(a.detach().contiguous().view(torch::kInt),
                                                b.detach().contiguous().view(torch::kInt));
}

/// x [n, 12] to [n, 3].
struct Mlp : torch::nn::Module {
  QATLinear fc1{QATLinearOptions(12, 16)}, fc2{QATLinearOptions(16, 3)};
  Mlp() {
    register_module("fc1", fc1);
    register_module("fc2", fc2);
  }
  torch::Tensor forward(const torch::Tensor& x) { return fc2(torch::relu(fc1(x))); }
};

/// x [n, 2, 8, 8] to [n, 5]: pools, a sum of two branches, dropout and a view.
struct Cnn : torch::nn::Module {
  QATConv2d conv1{QATConv2dOptions(2, 6, 3).padding(1)};
  QATConv2d conv2{QATConv2dOptions(6, 6, 3).padding(1).groups(2).bias(false)};
  torch::nn::Dropout dropout{0.5};
  QATLinear fc{QATLinearOptions(24, 5)};
  Cnn() {
    register_module("conv1", conv1);
    register_module("conv2", conv2);
    register_module("dropout", dropout);
    register_module("fc", fc);
  }
  torch::Tensor forward(const torch::Tensor& x) {
    const torch::Tensor first = torch::max_pool2d(torch::relu(conv1(x)), 2);
    const torch::Tensor sum = torch::relu(conv2(first)) + first;
    const torch::Tensor pooled = torch::avg_pool2d(sum, 2);
    return fc(dropout(pooled.view({-1, 24})));
  }
};

/// A model of any forward around one layer, for what cannot be exported.
struct Free : torch::nn::Module {
  using Forward = std::function<torch::Tensor(Free&, const torch::Tensor&)>;
  QATLinear fc{QATLinearOptions(12, 12)};
  Forward run;
  explicit Free(Forward forward_of) : run(std::move(forward_of)) { register_module("fc", fc); }
  torch::Tensor forward(const torch::Tensor& x) { return run(*this, x); }
};

}  // namespace samebits
