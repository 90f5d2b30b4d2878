// A QAT step against the FP32 step and the bf16 autocast step of the same model in one process: time, bytes
// kept for backward, peak memory. The QAT model is the one that users get: modules, observers that move the
// scales, NaN checks. SGD for all.
#include <malloc.h>
#include <torch/torch.h>

#include <ATen/autocast_mode.h>

#include <memory>

#include "csrc/layers/workspace.h"
#include "include/samebits/samebits.h"
#include "tests/benchmark/live_memory.h"
#include "tests/benchmark/measure.h"
#include "training/models/models.h"

namespace samebits::benchmark {
namespace {

using torch::Tensor;

/// The float models, as anyone writes them.
struct FloatMlp : torch::nn::Module {
  torch::nn::Linear fc1{register_module("fc1", torch::nn::Linear(784, 2048))},
      fc2{register_module("fc2", torch::nn::Linear(2048, 2048))},
      fc3{register_module("fc3", torch::nn::Linear(2048, 10))};
  Tensor forward(const Tensor& x) { return fc3(torch::relu(fc2(torch::relu(fc1(x.flatten(1)))))); }
};
struct FloatCnn : torch::nn::Module {
  torch::nn::Conv2d conv1{
      register_module("conv1", torch::nn::Conv2d(torch::nn::Conv2dOptions(1, 32, 3).padding(1)))},
      conv2{register_module("conv2", torch::nn::Conv2d(torch::nn::Conv2dOptions(32, 64, 3).padding(1)))};
  torch::nn::Linear fc1{register_module("fc1", torch::nn::Linear(64 * 7 * 7, 256))},
      fc2{register_module("fc2", torch::nn::Linear(256, 10))};
  Tensor forward(const Tensor& images) {
    Tensor x = torch::max_pool2d(torch::relu(conv1(images)), 2);
    x = torch::max_pool2d(torch::relu(conv2(x)), 2);
    return fc2(torch::relu(fc1(x.flatten(1))));
  }
};

/// 4 x (768 -> 3072 -> relu -> 768): the feed-forward half of a small transformer.
struct FloatFfn : torch::nn::Module {
  std::vector<torch::nn::Linear> layers;
  FloatFfn() {
    for (int i = 0; i < 4; ++i) {
      layers.push_back(register_module("up" + std::to_string(i), torch::nn::Linear(768, 3072)));
      layers.push_back(register_module("down" + std::to_string(i), torch::nn::Linear(3072, 768)));
    }
  }
  Tensor forward(Tensor x) {
    for (std::size_t i = 0; i < layers.size(); i += 2) x = layers[i + 1](torch::relu(layers[i](x)));
    return x;
  }
};
struct QatFfn : torch::nn::Module {
  std::vector<QATLinear> layers;
  QatFfn() {
    for (int i = 0; i < 4; ++i) {
      layers.push_back(register_module("up" + std::to_string(i), QATLinear(768, 3072)));
      layers.push_back(register_module("down" + std::to_string(i),
                                       QATLinear(QATLinearOptions(3072, 768).relu_input(true))));
    }
  }
  Tensor forward(Tensor x) {
    for (QATLinear& layer : layers) x = layer->forward(x);
    return x;
  }
};

TrainableModel qat_mlp() {
  return training::make_model({.name = "mlp", .hidden = {2048, 2048}}, {{1, 28, 28}, 10});
}
TrainableModel qat_cnn() {
  return training::make_model({.name = "cnn", .channels = {32, 64}, .hidden = {256}}, {{1, 28, 28}, 10});
}

/// One model with its optimizer and a fixed batch.
struct Trainee {
  std::string variant;
  std::shared_ptr<torch::nn::Module> model;
  std::function<Tensor(const Tensor&)> forward;
  Tensor x, grad_y;
  std::unique_ptr<torch::optim::SGD> optimizer;

  void step() {
    optimizer->zero_grad();
    forward(x).backward(grad_y);
    optimizer->step();
  }
  /// Bytes that a forward leaves alive for backward, of a batch that nobody else holds.
  std::int64_t saved_bytes() {
    const std::int64_t before = live_bytes();
    const Tensor y = forward(x.clone());
    return live_bytes() - before - static_cast<std::int64_t>(y.nbytes());
  }
  /// The most that lives at once during a step above parameters and batch: gradients and reused buffers
  /// count.
  std::int64_t peak_of_step() {
    optimizer->zero_grad();
    ops::release_workspaces();
    const std::int64_t before = live_bytes();
    reset_peak();
    step();
    return peak_bytes() - before;
  }
};

Tensor under_autocast(const std::function<Tensor(const Tensor&)>& forward, const Tensor& x) {
  at::autocast::set_autocast_dtype(at::kCPU, at::kBFloat16);
  at::autocast::set_autocast_enabled(at::kCPU, true);
  const Tensor y = forward(x).to(torch::kFloat);
  at::autocast::clear_cache();
  at::autocast::set_autocast_enabled(at::kCPU, false);
  return y;
}

Trainee trainee(const std::string& variant, const TrainableModel& model, const Tensor& x,
                bool autocast = false) {
  Trainee made{.variant = variant, .model = model.module, .x = x};
  made.forward = model.forward;
  if (autocast) made.forward = [model](const Tensor& input) { return under_autocast(model.forward, input); };
  made.optimizer =
      std::make_unique<torch::optim::SGD>(model.module->parameters(), torch::optim::SGDOptions(1e-4));
  torch::NoGradGuard no_grad;
  made.grad_y = torch::randn_like(made.forward(x)) / static_cast<double>(x.size(0));
  return made;
}

/// The model that users get: prepared, observed, computing on integers, moving its scales.
Trainee qat_trainee(const std::string& variant, const TrainableModel& model, const Tensor& x,
                    BackwardMode backward) {
  QConfig config = QConfig::preset("int8");
  config.defaults.backward = backward;
  prepare(training::ref_of(model), config, x, /*observe_steps=*/1);
  model.module->train();
  {
    torch::NoGradGuard no_grad;
    model.forward(x);  // observed: from here on integers
  }
  return trainee(variant, model, x);
}

template <class FloatModel, class MakeQat>
void compare(Table& table, const std::string& name, MakeQat make_qat, const Tensor& x, int rounds) {
  torch::manual_seed(0);
  std::vector<Trainee> all;
  all.push_back(trainee("fp32", trainable_model(std::make_shared<FloatModel>()), x));
  all.push_back(trainee("bf16 autocast", trainable_model(std::make_shared<FloatModel>()), x, true));
  all.push_back(qat_trainee("qat int8, backward f32", make_qat(), x, BackwardMode::kFloat32));
  all.push_back(qat_trainee("qat int8, backward bf16", make_qat(), x, BackwardMode::kBfloat16));
  all.push_back(qat_trainee("qat int8, backward int8", make_qat(), x, BackwardMode::kInt8));
  std::vector<Variant> steps;
  for (Trainee& each : all) steps.push_back({each.variant, [&each] { each.step(); }});
  const std::vector<double> seconds = interleaved_minimum(steps, rounds);
  for (std::size_t i = 0; i < all.size(); ++i)
    table.add({name, all[i].variant, "step", 1e3 * seconds[i], "ms", "fp32", seconds[i] / seconds[0]});
  const auto compare_bytes = [&](const char* metric, std::int64_t (Trainee::*measure)()) {
    const std::int64_t fp32 = (all[0].*measure)();
    for (std::size_t i = 1; i < all.size(); ++i) {
      const std::int64_t ours = (all[i].*measure)();
      table.add({name, all[i].variant, metric, static_cast<double>(ours) / 1e6, "MB", "fp32",
                 static_cast<double>(ours) / static_cast<double>(fp32)});
    }
  };
  compare_bytes("saved for backward", &Trainee::saved_bytes);
  compare_bytes("peak of the step", &Trainee::peak_of_step);
}

}  // namespace
}  // namespace samebits::benchmark

int main(int argc, char** argv) {
  using namespace samebits;
  // As in the executable: nobody pays for page faults on memory that was freed a step ago.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
  benchmark::count_memory();
  benchmark::Table table(argc, argv);
  benchmark::compare<benchmark::FloatMlp>(table, "MLP 784-2048-2048-10, batch 512", benchmark::qat_mlp,
                                          torch::randn({512, 1, 28, 28}), 12);
  benchmark::compare<benchmark::FloatCnn>(table, "CNN 32-64-fc256, batch 256", benchmark::qat_cnn,
                                          torch::randn({256, 1, 28, 28}), 12);
  benchmark::compare<benchmark::FloatFfn>(
      table, "4 x FFN 768-3072-768, 1024 tokens",
      [] { return trainable_model(std::make_shared<benchmark::QatFfn>()); }, torch::randn({1024, 768}), 6);
}
