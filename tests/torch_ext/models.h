// What the tests of the QAT modules share: small models, a folder, an error as text, and
// comparison by bits.
#pragma once

#include <gmock/gmock.h>
#include <torch/torch.h>
#include <unistd.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tests/oracle.h"
#include "torch_ext/modules/qat_conv2d.h"
#include "torch_ext/modules/qat_linear.h"
#include "torch_ext/prepare.h"
#include "torch_ext/quantizer/layer_quantizer.h"

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
  return a.sizes() == b.sizes() &&
         torch::equal(a.detach().contiguous().view(torch::kInt), b.detach().contiguous().view(torch::kInt));
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

/// Seeds torch and makes a folder of its own for each test.
class ModelTest : public testing::Test {
 protected:
  void SetUp() override {
    torch::manual_seed(1);
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("samebits_model_test_" + std::to_string(getpid()));
};

/// Calibrates on a few batches of this shape, so that the model is frozen.
template <class Model>
Prepared freeze(Model& model, std::vector<std::int64_t> shape, const QConfig& config = QConfig()) {
  Prepared prepared = prepare(model, config, torch::randn(shape));
  shape[0] = 16;
  calibrate(model, prepared, {torch::randn(shape), torch::randn(shape)});
  return prepared;
}

/// A layer named "fc1" that observes.
inline QATLinear observing_linear(const LayerConfig& config = LayerConfig(), std::int64_t observe_steps = 0) {
  QATLinear layer(4, 3);
  layer->configure(config, "fc1", observe_steps);
  layer->set_state(QuantizerState::kObserving);
  return layer;
}

/// A batch whose smallest and largest values are these.
inline torch::Tensor batch(float min, float max) {
  return torch::tensor({min, 0.0f, 0.5f * max, max}).reshape({1, 4});
}

inline kernels::AffineGrid grid_of(float min, float max) {
  const oracle::Grid grid = oracle::grid_of_range(min, max, -128, 127, false);
  return {grid.scale, grid.zero_point, grid.qmin, grid.qmax};
}

}  // namespace samebits
