// A training step of a captured graph against the step of the module that it was captured from, and what a
// node of a graph costs beside the operator that it calls: chains of operators on eight floats.
#include <malloc.h>
#include <torch/torch.h>

#include <functional>
#include <memory>

#include "include/samebits/samebits.h"
#include "tests/benchmark/measure.h"

namespace samebits::benchmark {
namespace {

using torch::Tensor;

struct Mlp : torch::nn::Module {
  torch::nn::Linear fc1{register_module("fc1", torch::nn::Linear(16, 32))},
      fc2{register_module("fc2", torch::nn::Linear(32, 32))},
      fc3{register_module("fc3", torch::nn::Linear(32, 5))};
  Tensor forward(const Tensor& x) { return fc3(torch::relu(fc2(torch::relu(fc1(x))))); }
};

/// The CNN of the step benchmark.
struct Cnn : torch::nn::Module {
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

struct Lstm : torch::nn::Module {
  torch::nn::LSTM lstm{register_module(
      "lstm", torch::nn::LSTM(torch::nn::LSTMOptions(8, 12).num_layers(2).batch_first(true)))};
  torch::nn::Linear fc{register_module("fc", torch::nn::Linear(12, 5))};
  Tensor forward(const Tensor& x) { return fc(std::get<0>(lstm(x)).select(1, -1)); }
};

/// One step with SGD; both variants train the same parameters.
Variant step(const std::string& name, const std::shared_ptr<torch::optim::SGD>& optimizer, const Tensor& x,
             std::function<Tensor(const Tensor&)> forward) {
  return {name, [=] {
            optimizer->zero_grad();
            forward(x).square().mean().backward();
            optimizer->step();
          }};
}

template <class Model>
void compare(Table& table, const std::string& name, const Tensor& x, int rounds) {
  const auto model = std::make_shared<Model>();
  GraphModule graph = capture(*model, x);
  const auto optimizer =
      std::make_shared<torch::optim::SGD>(model->parameters(), torch::optim::SGDOptions(1e-6));
  const std::vector<double> seconds = interleaved_minimum(
      {step("module", optimizer, x, [=](const Tensor& in) { return model->forward(in); }),
       step("graph", optimizer, x, [=](const Tensor& in) mutable { return graph->forward(in); })},
      rounds);
  table.add({name, "module", "step", 1e3 * seconds[0], "ms", "module", 1.0});
  table.add({name, "captured graph", "step", 1e3 * seconds[1], "ms", "module", seconds[1] / seconds[0]});
}

/// A chain of operators, so short that calling them is the time.
struct Chain : torch::nn::Module {
  static constexpr int kNodes = 200;
  Tensor forward(Tensor x) {
    for (int i = 0; i < kNodes; ++i) x = torch::relu(x);
    return x;
  }
};

void compare_nodes(Table& table, int rounds) {
  const torch::NoGradGuard no_grad;
  Chain model;
  const Tensor x = torch::randn({1, 8});
  GraphModule graph = capture(model, x);
  const std::vector<double> seconds = interleaved_minimum(
      {{"module", [&] { model.forward(x); }}, {"graph", [&] { graph->forward(x); }}}, rounds);
  const double node_us = 1e6 * (seconds[1] - seconds[0]) / Chain::kNodes;
  table.add(
      {"relu of 8 floats", "captured graph", "time of a node above the operator", node_us, "us", "", 0});
}

}  // namespace
}  // namespace samebits::benchmark

int main(int argc, char** argv) {
  using namespace samebits::benchmark;
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, -1);
  Table table(argc, argv);
  at::set_num_threads(2);
  torch::manual_seed(0);
  compare<Cnn>(table, "CNN 32-64-fc256, batch 256", torch::randn({256, 1, 28, 28}), 10);
  compare<Cnn>(table, "CNN 32-64-fc256, batch 4", torch::randn({4, 1, 28, 28}), 200);
  at::set_num_threads(1);
  compare<Mlp>(table, "MLP 16-32-32-5, batch 4", torch::randn({4, 16}), 2000);
  compare<Lstm>(table, "LSTM 2 x 12, batch 4", torch::randn({4, 6, 8}), 1000);
  compare_nodes(table, 1000);
}
