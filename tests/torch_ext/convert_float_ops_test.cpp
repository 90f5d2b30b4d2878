// convert(): float operators with the contract's bits between two integer layers are read out of a trace,
// with their parameters; the graph gives the bits of the model, which convert() itself checks by replay.
#include "csrc/float/functions.h"
#include "csrc/float/norms.h"
#include "csrc/float/reduce.h"
#include "csrc/float/softmax.h"
#include "graph/operator.h"
#include "tests/torch_ext/models.h"
#include "torch_ext/convert.h"
#include "torch_ext/verify.h"

namespace samebits {
namespace {

using torch::Tensor;

class ConvertFloatOps : public ModelTest {};

/// What stands between two layers of 12 features, and parameters for it.
struct Between : torch::nn::Module {
  using Function = std::function<Tensor(const Between&, const Tensor&)>;
  QATLinear a{QATLinearOptions(12, 12)}, b{QATLinearOptions(12, 4)};
  Tensor weight, bias, channel_weight, channel_bias, mean, var;
  Function function;
  explicit Between(Function function_of) : function(std::move(function_of)) {
    register_module("a", a);
    register_module("b", b);
    weight = register_parameter("weight", torch::randn({12}));
    bias = register_parameter("bias", torch::randn({12}));
    channel_weight = register_parameter("channel_weight", torch::randn({3}));
    channel_bias = register_parameter("channel_bias", torch::randn({3}));
    mean = register_buffer("mean", torch::randn({3}));
    var = register_buffer("var", torch::rand({3}) + 0.1);
  }
  Tensor forward(const Tensor& x) { return b(function(*this, a(x))); }
};

struct Case {
  const char* op;
  Between::Function function;
};

std::vector<Case> cases() {
  using M = const Between&;
  using T = const Tensor&;
  return {
      {"exp", [](M, T y) { return ops::exp(y); }},
      {"tanh", [](M, T y) { return ops::tanh(y); }},
      {"sigmoid", [](M, T y) { return ops::sigmoid(y); }},
      {"erf", [](M, T y) { return ops::erf(y); }},
      {"silu", [](M, T y) { return ops::silu(y); }},
      {"gelu", [](M, T y) { return ops::gelu(y, "none"); }},
      {"gelu", [](M, T y) { return ops::gelu(y, "tanh"); }},
      {"elu", [](M, T y) { return ops::elu(y, 0.5, 1.5, 0.75); }},
      {"leaky_relu", [](M, T y) { return ops::leaky_relu(y, 0.2); }},
      {"hardsigmoid", [](M, T y) { return ops::hardsigmoid(y); }},
      {"hardswish", [](M, T y) { return ops::hardswish(y); }},
      {"sqrt", [](M, T y) { return ops::sqrt(ops::sigmoid(y)); }},
      {"rsqrt", [](M, T y) { return ops::rsqrt(ops::exp(y)); }},
      {"log", [](M, T y) { return ops::log(ops::sigmoid(y)); }},
      {"softmax", [](M, T y) { return ops::softmax(y, -1); }},
      {"log_softmax", [](M, T y) { return ops::log_softmax(y, 1); }},
      {"layer_norm", [](M m, T y) { return ops::layer_norm(y, {12}, m.weight, m.bias, 1e-5); }},
      {"layer_norm", [](M m, T y) { return ops::layer_norm(y, {12}, m.weight, {}, 1e-3); }},
      {"rms_norm", [](M m, T y) { return ops::rms_norm(y, {12}, m.weight, std::nullopt); }},
  };
}

TEST_F(ConvertFloatOps, AreReadWithTheirParametersAndGiveTheModelsBits) {
  for (const Case& c : cases()) {
    SCOPED_TRACE(c.op);
    Between model(c.function);
    freeze(model, {1, 12});
    const QuantizedModel quantized = convert(model, torch::randn({16, 12}));
    const auto& nodes = quantized.graph().nodes;
    ASSERT_GE(nodes.size(), 3u);
    EXPECT_EQ(std::string(nodes[nodes.size() - 2].op->name), c.op);
  }
}

TEST_F(ConvertFloatOps, AnOnnxFileIsJudgedByWhatIntegerLayersMakeOfThem) {
  Between model([](const Between& m, const Tensor& y) {
    return ops::gelu(ops::layer_norm(y, {12}, m.weight, m.bias, 1e-5), "none");
  });
  freeze(model, {1, 12});
  convert(model, torch::randn({16, 12})).export_onnx(folder_ / "net.onnx");
  try {
    EXPECT_EQ(verify(model, folder_ / "net.onnx", {torch::randn({500, 12})}).differing, 0);
  } catch (const MissingDependency& missing) {
    GTEST_SKIP() << missing.what();
  }
}

/// Convolutions around what works on images.
struct Images : torch::nn::Module {
  using Function = std::function<Tensor(const Between&, const Tensor&)>;
  QATConv2d conv{QATConv2dOptions(2, 3, 3).padding(1)};
  QATLinear fc{QATLinearOptions(3, 4)};
  Between parameters{nullptr};
  Function function;
  explicit Images(Function function_of) : function(std::move(function_of)) {
    register_module("conv", conv);
    register_module("fc", fc);
    for (const auto& item :
         {std::pair{"weight", &parameters.channel_weight}, {"bias", &parameters.channel_bias}})
      *item.second = register_parameter(item.first, torch::randn({3}));
    parameters.mean = register_buffer("mean", torch::randn({3}));
    parameters.var = register_buffer("var", torch::rand({3}) + 0.1);
  }
  Tensor forward(const Tensor& x) { return fc(function(parameters, conv(x))); }
};

TEST_F(ConvertFloatOps, OfImagesAreReadToo) {
  using M = const Between&;
  using T = const Tensor&;
  const std::vector<std::int64_t> pixels = {2, 3}, negative = {-1, -2}, one = {1, 1};
  const auto batch_norm = c10::Dispatcher::singleton().findSchemaOrThrow("samebits::batch_norm", "");
  const std::pair<std::vector<std::string>, Images::Function> kCases[] = {
      {{"conv2d", "mean", "linear"}, [&](M, T y) { return ops::mean(y, pixels); }},
      {{"conv2d", "sum", "linear"}, [&](M, T y) { return ops::sum(y, negative); }},
      {{"conv2d", "amax", "linear"}, [&](M, T y) { return ops::amax(y, pixels); }},
      {{"conv2d", "adaptive_avg_pool2d", "flatten", "linear"},
       [&](M, T y) { return ops::adaptive_avg_pool2d(y, one).flatten(1); }},
      {{"conv2d", "group_norm", "mean", "linear"},
       [&](M m, T y) {
         return ops::mean(ops::group_norm(y, 3, m.channel_weight, m.channel_bias, 1e-5), pixels);
       }},
      {{"conv2d", "batch_norm", "mean", "linear"},
       [&](M m, T y) {
         torch::jit::Stack stack = {y,    m.channel_weight, m.channel_bias, m.mean, m.var, false, 0.1, 1e-5,
                                    false};
         batch_norm.callBoxed(stack);
         return ops::mean(stack[0].toTensor(), pixels);
       }},
  };
  for (const auto& [names, function] : kCases) {
    SCOPED_TRACE(names[1]);
    Images model(function);
    freeze(model, {1, 2, 6, 6});
    const QuantizedModel quantized = convert(model, torch::randn({3, 2, 6, 6}));
    std::vector<std::string> found;
    for (const graph::Node& node : quantized.graph().nodes) found.push_back(node.op->name);
    EXPECT_EQ(found, names);
  }
}

TEST_F(ConvertFloatOps, WhatAReductionCannotSayIsRefused) {
  const std::vector<std::int64_t> apart = {1, 3};
  Images model([](const Between&, const Tensor& y) { return ops::mean(y, std::vector<std::int64_t>{2, 3}); });
  freeze(model, {1, 2, 6, 6});
  model.function = [&](const Between&, const Tensor& y) { return ops::mean(y, apart).narrow(1, 0, 3); };
  EXPECT_EQ(
      error_of([&] {
        convert(model, torch::randn({3, 2, 6, 6}));
      }),
      "[export] mean_1: expected dimensions side by side, got [1, 3]; permute the others out of the way");
}

}  // namespace
}  // namespace samebits
