// A QAT step against the FP32 step of the same model in one process: time, bytes kept for backward, peak memory.
// The QAT model is the one that users get: modules, observers that move the scales, NaN checks. SGD for both.
#include <malloc.h>
#include <torch/torch.h>

#include <memory>

#include "include/samebits/samebits.h"
#include "tests/benchmark/live_memory.h"
#include "tests/benchmark/measure.h"
#include "training/models.h"

namespace samebits::benchmark {
namespace {

/// 4 x (768 -> 3072 -> relu -> 768): the feed-forward half of a small transformer.
class Ffn : public training::Model {
 public:
  Ffn() {
    for (int i = 0; i < 4; ++i) {
      layers_.push_back(register_module("up" + std::to_string(i), QATLinear(768, 3072)));
      layers_.push_back(register_module("down" + std::to_string(i), QATLinear(3072, 768)));
    }
  }
  torch::Tensor forward(const torch::Tensor& input) override {
    torch::Tensor x = input;
    for (std::size_t i = 0; i < layers_.size(); i += 2) x = layers_[i + 1]->forward(samebits::relu(layers_[i]->forward(x)));
    return x;
  }

 private:
  std::vector<QATLinear> layers_;
};

/// One model with its optimizer and a fixed batch.
struct Trainee {
  std::shared_ptr<training::Model> model;
  torch::Tensor x, grad_y;
  std::unique_ptr<torch::optim::SGD> optimizer;

  Trainee(std::shared_ptr<training::Model> made, const torch::Tensor& input, bool is_qat) : model(std::move(made)), x(input) {
    if (is_qat) {
      Prepared prepared = prepare(*model, QConfig::preset("int8"), x, /*observe_steps=*/1);
      model->train();
      torch::NoGradGuard no_grad;
      model->forward(x);  // observed: from here on integers
    }
    optimizer = std::make_unique<torch::optim::SGD>(model->parameters(), torch::optim::SGDOptions(1e-4));
    torch::NoGradGuard no_grad;
    grad_y = torch::randn_like(model->forward(x)) / static_cast<double>(x.size(0));
  }
  void step() {
    optimizer->zero_grad();
    model->forward(x).backward(grad_y);
    optimizer->step();
  }
  /// Bytes that a forward leaves alive for backward.
  std::int64_t saved_bytes() {
    const std::int64_t before = live_bytes();
    const torch::Tensor y = model->forward(x);
    return live_bytes() - before - static_cast<std::int64_t>(y.nbytes());
  }
  std::int64_t peak_of_step() {
    optimizer->zero_grad();  // gradients of the step before do not count
    const std::int64_t before = live_bytes();
    reset_peak();
    step();
    return peak_bytes() - before;
  }
};

void compare(Table& table, const std::string& name, const std::function<std::shared_ptr<training::Model>()>& make,
             const torch::Tensor& x, int rounds) {
  torch::manual_seed(0);
  Trainee fp32(make(), x, false);
  torch::manual_seed(0);
  Trainee qat(make(), x, true);
  const std::vector<double> seconds =
      interleaved_minimum({{"fp32", [&] { fp32.step(); }}, {"qat int8", [&] { qat.step(); }}}, rounds);
  table.add({name, "fp32", "step", 1e3 * seconds[0], "ms", "fp32", 1.0});
  table.add({name, "qat int8", "step", 1e3 * seconds[1], "ms", "fp32", seconds[1] / seconds[0]});
  const auto row = [&](const char* metric, std::int64_t ours, std::int64_t theirs) {
    table.add({name, "qat int8", metric, static_cast<double>(ours) / 1e6, "MB", "fp32",
               static_cast<double>(ours) / static_cast<double>(theirs)});
  };
  row("saved for backward", qat.saved_bytes(), fp32.saved_bytes());
  row("peak of the step", qat.peak_of_step(), fp32.peak_of_step());
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
  benchmark::compare(table, "MLP 784-2048-2048-10, batch 512", [] {
    return training::make_model({.name = "mlp", .hidden = {2048, 2048}}, {28, 28, 10});
  }, torch::randn({512, 1, 28, 28}), 12);
  benchmark::compare(table, "CNN 32-64-fc256, batch 256", [] {
    return training::make_model({.name = "cnn", .channels = {32, 64}, .hidden = {256}}, {28, 28, 10});
  }, torch::randn({256, 1, 28, 28}), 12);
  benchmark::compare(table, "4 x FFN 768-3072-768, 1024 tokens", [] {
    return std::make_shared<benchmark::Ffn>();
  }, torch::randn({1024, 768}), 6);
}
