// The modules on a card: a network of QATConv2d, pools and QATLinear moves between devices with its bits, and
// trains on one without waiting for it, a whole step as one CUDA graph. tools/gpu_check compiles this against
// the torch that it finds; with SAMEBITS_DEVICE=cpu it runs on the CPU, where nothing is captured.
#include <ATen/cuda/CUDAContext.h>
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include <cstdlib>
#include <sstream>

#include "torch_ext/modules/max_pool2d.h"
#include "torch_ext/modules/qat_conv2d.h"
#include "torch_ext/modules/qat_linear.h"
#include "torch_ext/quantizer/layer_quantizer.h"

namespace samebits {
namespace {

using torch::Tensor;

torch::Device device() {
  const char* const name = std::getenv("SAMEBITS_DEVICE");
  return {name == nullptr ? "cuda" : name};
}

/// Convolutions with a stride, groups, one of them depthwise; pools; two linear layers, of which one has
/// 4-bit weights in groups.
struct Net : torch::nn::Module {
  QATConv2d conv1{QATConv2dOptions(3, 16, 3).padding(1)};
  QATConv2d depthwise{QATConv2dOptions(16, 16, 3).padding(1).groups(16).relu_input(true)};
  QATConv2d conv2{QATConv2dOptions(16, 24, 3).stride(2).padding(1).groups(2).relu_input(true)};
  QATLinear fc1{QATLinearOptions(24 * 4 * 4, 64).relu_input(true)},
      fc2{QATLinearOptions(64, 10).relu_input(true)};

  Net() {
    register_module("conv1", conv1);
    register_module("depthwise", depthwise);
    register_module("conv2", conv2);
    register_module("fc1", fc1);
    register_module("fc2", fc2);
  }
  std::vector<std::shared_ptr<QATLayer>> layers() const {
    return {conv1.ptr(), depthwise.ptr(), conv2.ptr(), fc1.ptr(), fc2.ptr()};
  }
  void configure(BackwardMode backward) {
    const auto names = {"conv1", "depthwise", "conv2", "fc1", "fc2"};
    auto name = names.begin();
    for (const auto& layer : layers()) {
      LayerConfig config;
      config.backward = backward;
      if (layer == fc1.ptr()) {
        config.weight.bits = 4;
        config.weight.granularity = Granularity::kPerGroup;
        config.weight.group_size = 32;
      }
      layer->configure(config, *name++, 0);
    }
  }
  void set_state(QuantizerState state) {
    for (const auto& layer : layers()) layer->set_state(state);
  }
  Tensor forward(const Tensor& x) {
    const Tensor pooled = samebits::max_pool2d(depthwise(conv1(x)), 2);
    return fc2(fc1(torch::flatten(conv2(pooled), 1)));
  }
};

/// A network that quantizes, its batch, and its optimizer. The same whatever the device.
struct Training {
  Net net;
  Tensor x = torch::randn({32, 3, 16, 16}), target = torch::randint(10, {32}, torch::kLong);
  std::unique_ptr<torch::optim::SGD> optimizer;

  explicit Training(torch::Device where, BackwardMode backward = BackwardMode::kFloat32) {
    net.configure(backward);
    net.train();
    net.set_state(QuantizerState::kObserving);
    net.forward(x);
    net.set_state(QuantizerState::kQuantizing);
    net.to(where);
    x = x.to(where), target = target.to(where);
    optimizer =
        std::make_unique<torch::optim::SGD>(net.parameters(), torch::optim::SGDOptions(0.01).momentum(0.9));
    for (Tensor& parameter : net.parameters()) parameter.mutable_grad() = torch::zeros_like(parameter);
  }
  Tensor step() {
    optimizer->zero_grad(/*set_to_none=*/false);
    const Tensor y = net.forward(x);
    torch::nn::functional::cross_entropy(y, target).backward();
    optimizer->step();
    return y.detach();
  }
};

Training training_of(int seed, torch::Device where, BackwardMode backward = BackwardMode::kFloat32) {
  torch::manual_seed(seed);
  return Training(where, backward);
}

/// Parameters and buffers, on the CPU.
std::vector<Tensor> state_of(Net& net) {
  std::vector<Tensor> state;
  for (const Tensor& each : net.parameters()) state.push_back(each.detach().cpu().clone());
  for (const Tensor& each : net.buffers()) state.push_back(each.detach().cpu().clone());
  return state;
}

/// The bytes of a tensor, which hold a NaN too.
std::string bytes_of(const Tensor& any) {
  const Tensor tensor = any.detach().cpu().contiguous();
  return {static_cast<const char*>(tensor.const_data_ptr()), static_cast<std::size_t>(tensor.nbytes())};
}
void expect_same_bits(const std::vector<Tensor>& got, const std::vector<Tensor>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (std::size_t i = 0; i < got.size(); ++i)
    EXPECT_TRUE(bytes_of(got[i]) == bytes_of(expected[i])) << "tensor " << i << " of " << got.size();
}

void copy_state(Net& from, Net& to) {
  const torch::NoGradGuard no_grad;
  const std::vector<Tensor> parameters = from.parameters(), buffers = from.buffers();
  for (std::size_t i = 0; i < parameters.size(); ++i) to.parameters()[i].copy_(parameters[i]);
  for (std::size_t i = 0; i < buffers.size(); ++i) to.buffers()[i].copy_(buffers[i]);
}

class ModulesOnCard : public testing::Test {
 protected:
  void SetUp() override {
    if (device().is_cuda() && !torch::cuda::is_available()) GTEST_SKIP() << "no card";
    at::globalContext().setDeterministicCuDNN(true);  // the same step twice, not the same as the CPU's
  }
};

TEST_F(ModulesOnCard, ForwardHasTheBitsOfTheCpuInEveryStepOfATraining) {
  Training there = training_of(1, device()), here = training_of(1, torch::kCPU);
  for (int i = 0; i < 20; ++i) {
    SCOPED_TRACE(i);
    copy_state(there.net, here.net);
    const Tensor expected = here.step(), y = there.step();
    EXPECT_TRUE(bytes_of(y) == bytes_of(expected));
    for (std::size_t j = 0; j < here.net.buffers().size(); ++j)  // the grids that the batch moved
      EXPECT_TRUE(bytes_of(there.net.buffers()[j]) == bytes_of(here.net.buffers()[j])) << "buffer " << j;
    for (std::size_t j = 0; j < here.net.parameters().size(); ++j) {
      const Tensor got = there.net.parameters()[j].grad().cpu(), want = here.net.parameters()[j].grad();
      EXPECT_LE((got - want).norm().item<double>(), 1e-4 * want.norm().item<double>()) << "gradient " << j;
    }
  }
}

TEST_F(ModulesOnCard, LogitsOfATrainedModelAreThoseOfTheCpu) {
  Training there = training_of(2, device()), here = training_of(2, torch::kCPU);
  for (int i = 0; i < 100; ++i) there.step();
  copy_state(there.net, here.net);
  for (Training* each : {&there, &here}) {
    each->net.eval();
    each->net.set_state(QuantizerState::kFrozen);
  }
  const torch::NoGradGuard no_grad;
  const Tensor images = torch::randn({200, 3, 16, 16});
  EXPECT_TRUE(bytes_of(there.net.forward(images.to(device()))) == bytes_of(here.net.forward(images)));
}

TEST_F(ModulesOnCard, LayersThatStayFloatHaveTheBitsThatShip) {
  Training there = training_of(9, device()), here = training_of(9, torch::kCPU);
  for (Training* each : {&there, &here}) {
    for (const auto& layer : each->net.layers()) layer->skip();
    each->net.eval();
  }
  const torch::NoGradGuard no_grad;
  EXPECT_TRUE(bytes_of(there.net.forward(there.x)) == bytes_of(here.net.forward(here.x)));
}

TEST_F(ModulesOnCard, CheckpointsMoveBetweenDevicesWithTheirBits) {
  Training there = training_of(3, device());
  there.step();
  std::stringstream file, back;
  torch::serialize::OutputArchive saved;
  there.net.save(saved);
  saved.save_to(file);
  Training here = training_of(4, torch::kCPU);
  torch::serialize::InputArchive archive;
  archive.load_from(file, torch::Device(torch::kCPU));
  here.net.load(archive);
  expect_same_bits(state_of(here.net), state_of(there.net));

  torch::serialize::OutputArchive saved_here;
  here.net.save(saved_here);
  saved_here.save_to(back);
  Training again = training_of(5, device());
  torch::serialize::InputArchive archive_there;
  archive_there.load_from(back, device());
  again.net.load(archive_there);
  expect_same_bits(state_of(again.net), state_of(there.net));
  again.x = there.x, again.target = there.target, here.x = there.x.cpu(), here.target = there.target.cpu();
  const Tensor y = there.step();
  EXPECT_TRUE(bytes_of(again.step()) == bytes_of(y));
  EXPECT_TRUE(bytes_of(here.step()) == bytes_of(y));
}

class StepsOnCard : public ModulesOnCard, public testing::WithParamInterface<BackwardMode> {};

/// Steps on a stream of their own, as a capture wants them before it.
template <class Step>
void run_aside(int steps, const c10::cuda::CUDAStream& stream, const Step& step) {
  const c10::cuda::CUDAStreamGuard guard(stream);
  for (int i = 0; i < steps; ++i) step();
}

TEST_P(StepsOnCard, AWholeStepIsOneCudaGraphWithTheBitsOfPlainSteps) {
  if (!device().is_cuda()) GTEST_SKIP() << "SAMEBITS_DEVICE=cpu: nothing to capture";
  Training plain = training_of(6, device(), GetParam()), captured = training_of(6, device(), GetParam());
  const auto stream = c10::cuda::getStreamFromPool();
  run_aside(14, stream, [&] { plain.step(); });
  run_aside(3, stream, [&] { captured.step(); });
  c10::cuda::device_synchronize();
  at::cuda::CUDAGraph graph;
  Tensor y;
  {
    const c10::cuda::CUDAStreamGuard guard(stream);
    c10::cuda::warning_state().set_sync_debug_mode(c10::cuda::SyncDebugMode::L_ERROR);
    graph.capture_begin();
    y = captured.step();
    graph.capture_end();
    for (int i = 0; i < 11; ++i) graph.replay();
    c10::cuda::warning_state().set_sync_debug_mode(c10::cuda::SyncDebugMode::L_DISABLED);
  }
  c10::cuda::device_synchronize();
  expect_same_bits(state_of(captured.net), state_of(plain.net));
  for (const auto& layer : captured.net.layers()) EXPECT_NO_THROW(layer->quantizer().flags().check());

  captured.x.select(0, 0).fill_(std::numeric_limits<float>::quiet_NaN());
  c10::cuda::device_synchronize();
  {
    const c10::cuda::CUDAStreamGuard guard(stream);
    graph.replay();
  }
  c10::cuda::device_synchronize();
  try {
    captured.net.conv1->quantizer().flags().check();
    ADD_FAILURE() << "expected the flag of the last replay";
  } catch (const c10::Error& error) {
    EXPECT_STREQ(
        error.what_without_backtrace(),
        "[qat] conv1: expected numbers at the input, got NaN; look at the batch, the layer before and "
        "the learning rate");
  }
}

TEST_P(StepsOnCard, AStepOutsideOfAGraphWaitsOnceForItsFlagsAlone) {
  if (!device().is_cuda()) GTEST_SKIP() << "SAMEBITS_DEVICE=cpu: nobody waits";
  Training training = training_of(7, device(), GetParam());
  training.step();
  c10::cuda::device_synchronize();
  c10::cuda::warning_state().set_sync_debug_mode(c10::cuda::SyncDebugMode::L_ERROR);
  Tensor loss;
  EXPECT_NO_THROW(
      loss = torch::nn::functional::cross_entropy(training.net.forward(training.x), training.target));
  c10::cuda::warning_state().set_sync_debug_mode(c10::cuda::SyncDebugMode::L_DISABLED);
  loss.backward();
  EXPECT_NO_THROW(training.optimizer->step());
}

TEST_F(ModulesOnCard, TwoStreamsTrainTwoModelsAtATimeToTheirOwnBits) {
  if (!device().is_cuda()) GTEST_SKIP() << "SAMEBITS_DEVICE=cpu: no streams";
  Training alone = training_of(8, device()), first = training_of(8, device()),
           second = training_of(8, device());
  const auto one = c10::cuda::getStreamFromPool(), other = c10::cuda::getStreamFromPool();
  c10::cuda::device_synchronize();
  for (int i = 0; i < 10; ++i) {
    run_aside(1, one, [&] { first.step(); });
    run_aside(1, other, [&] { second.step(); });
  }
  c10::cuda::device_synchronize();
  for (int i = 0; i < 10; ++i) alone.step();
  c10::cuda::device_synchronize();
  expect_same_bits(state_of(first.net), state_of(alone.net));
  expect_same_bits(state_of(second.net), state_of(alone.net));
}

INSTANTIATE_TEST_SUITE_P(Backward, StepsOnCard,
                         testing::Values(BackwardMode::kFloat32, BackwardMode::kBfloat16),
                         [](const auto& info) {
                           return info.param == BackwardMode::kFloat32 ? "f32" : "bf16";
                         });

}  // namespace
}  // namespace samebits
