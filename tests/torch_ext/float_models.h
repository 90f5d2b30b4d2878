// Models as users of LibTorch write them: nothing in here knows of this library. Each gives a batch of
// inputs.
#pragma once

#include <torch/torch.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace float_models {

using torch::Tensor;
namespace nn = torch::nn;

/// A convolution with BatchNorm twice around a sum, as in ResNets.
struct ResidualImpl : nn::Module {
  nn::Conv2d conv1, conv2;
  nn::BatchNorm2d bn1, bn2;
  nn::Sequential shortcut;
  ResidualImpl(int in, int out, int stride)
      : conv1(nn::Conv2dOptions(in, out, 3).stride(stride).padding(1).bias(false)),
        conv2(nn::Conv2dOptions(out, out, 3).padding(1).bias(false)),
        bn1(out),
        bn2(out) {
    register_module("conv1", conv1);
    register_module("bn1", bn1);
    register_module("conv2", conv2);
    register_module("bn2", bn2);
    if (stride != 1 || in != out) {
      shortcut->push_back(nn::Conv2d(nn::Conv2dOptions(in, out, 1).stride(stride).bias(false)));
      shortcut->push_back(nn::BatchNorm2d(out));
    }
    register_module("shortcut", shortcut);
  }
  Tensor forward(const Tensor& x) {
    Tensor y = torch::relu(bn1(conv1(x)));
    y = bn2(conv2(y));
    y += shortcut->is_empty() ? x : shortcut->forward(x);
    return torch::relu(y);
  }
};
TORCH_MODULE(Residual);

struct ResNet : nn::Module {
  nn::Conv2d stem{nn::Conv2dOptions(3, 8, 3).padding(1).bias(false)};
  nn::BatchNorm2d bn{8};
  nn::Sequential blocks{Residual(8, 8, 1), Residual(8, 16, 2)};
  nn::Linear fc{16, 5};
  ResNet() {
    register_module("stem", stem);
    register_module("bn", bn);
    register_module("blocks", blocks);
    register_module("fc", fc);
  }
  Tensor forward(Tensor x) {
    x = bn(stem(x)).relu_();
    x = torch::max_pool2d(x, 2);
    x = blocks->forward(x);
    x = torch::adaptive_avg_pool2d(x, {1, 1});
    return fc(x.view({x.size(0), -1}));
  }
};

/// An inverted residual with squeeze-and-excitation, as in MobileNetV3.
struct MobileNet : nn::Module {
  nn::Conv2d stem{nn::Conv2dOptions(3, 16, 3).stride(2).padding(1).bias(false)};
  nn::BatchNorm2d bn1{16}, bn2{16};
  nn::Conv2d depthwise{nn::Conv2dOptions(16, 16, 3).padding(1).groups(16).bias(false)};
  nn::Conv2d squeeze{nn::Conv2dOptions(16, 4, 1)}, excite{nn::Conv2dOptions(4, 16, 1)};
  nn::Conv2d project{nn::Conv2dOptions(16, 16, 1)};
  nn::Dropout drop{0.2};
  nn::ModuleDict heads;
  MobileNet() {
    register_module("stem", stem);
    register_module("bn1", bn1);
    register_module("depthwise", depthwise);
    register_module("bn2", bn2);
    register_module("squeeze", squeeze);
    register_module("excite", excite);
    register_module("project", project);
    register_module("drop", drop);
    heads->update({{"classes", nn::Linear(16, 5).ptr()}});
    register_module("heads", heads);
  }
  Tensor forward(const Tensor& image) {
    const Tensor x = torch::hardswish(bn1(stem(image)));
    const Tensor y = torch::hardswish(bn2(depthwise(x)));
    const Tensor scale =
        torch::hardsigmoid(excite(torch::relu(squeeze(torch::adaptive_avg_pool2d(y, {1, 1})))));
    const Tensor z = project(y * scale) + x;
    return heads["classes"]->as<nn::Linear>()->forward(drop(z.mean({2, 3})));
  }
};

struct LstmClassifier : nn::Module {
  nn::Embedding embedding{30, 8};
  nn::LSTM lstm{nn::LSTMOptions(8, 12).num_layers(2).batch_first(true).dropout(0.1)};
  nn::Linear fc{12, 5};
  LstmClassifier() {
    register_module("embedding", embedding);
    register_module("lstm", lstm);
    register_module("fc", fc);
  }
  Tensor forward(const Tensor& tokens) {
    const auto [y, state] = lstm(embedding(tokens));
    return fc(y.select(1, -1));
  }
};

struct GruTagger : nn::Module {
  nn::GRU gru{nn::GRUOptions(6, 10).bidirectional(true).batch_first(true)};
  nn::Linear fc{20, 4};
  GruTagger() {
    register_module("gru", gru);
    register_module("fc", fc);
  }
  Tensor forward(const Tensor& x) { return fc(torch::tanh(std::get<0>(gru(x)))); }
};

/// Torch's own encoder: sequence first, with attention in pieces and a weight that is used functionally.
struct Encoder : nn::Module {
  nn::Linear embed{6, 16};
  nn::TransformerEncoder encoder{nn::TransformerEncoderOptions(
      nn::TransformerEncoderLayerOptions(16, 2).dim_feedforward(32).dropout(0.1), 2)};
  nn::LayerNorm norm{nn::LayerNormOptions({16})};
  nn::Linear fc{16, 5};
  Encoder() {
    register_module("embed", embed);
    register_module("encoder", encoder);
    register_module("norm", norm);
    register_module("fc", fc);
  }
  Tensor forward(const Tensor& x) {
    const Tensor y = encoder(embed(x).transpose(0, 1));
    return fc(norm(y.mean(0)));
  }
};

struct GptBlockImpl : nn::Module {
  nn::LayerNorm norm1{nn::LayerNormOptions({32})}, norm2{nn::LayerNormOptions({32})};
  nn::Linear qkv{nn::LinearOptions(32, 96).bias(false)}, proj{32, 32}, up{32, 64}, down{64, 32};
  GptBlockImpl() {
    register_module("norm1", norm1);
    register_module("qkv", qkv);
    register_module("proj", proj);
    register_module("norm2", norm2);
    register_module("up", up);
    register_module("down", down);
  }
  Tensor forward(Tensor x) {
    const auto b = x.size(0), t = x.size(1), c = x.size(2);
    const auto parts = qkv(norm1(x)).view({b, t, 3, 2, c / 2}).permute({2, 0, 3, 1, 4}).unbind();
    const Tensor y =
        at::scaled_dot_product_attention(parts[0], parts[1], parts[2], {}, 0.0, /*is_causal=*/true);
    x = x + proj(y.transpose(1, 2).reshape({b, t, c}));
    return x + down(torch::gelu(up(norm2(x))));
  }
};
TORCH_MODULE(GptBlock);

struct Gpt : nn::Module {
  nn::Embedding tokens{40, 32}, positions{16, 32};
  nn::ModuleList blocks{GptBlock(), GptBlock()};
  nn::LayerNorm norm{nn::LayerNormOptions({32})};
  Gpt() {
    register_module("tokens", tokens);
    register_module("positions", positions);
    register_module("blocks", blocks);
    register_module("norm", norm);
  }
  Tensor forward(const Tensor& ids) {
    Tensor x = tokens(ids) + positions(torch::arange(ids.size(1)));
    for (const auto& block : *blocks) x = block->as<GptBlock>()->forward(x);
    return nn::functional::linear(norm(x), tokens->weight);  // tied
  }
};

/// A model and the batches that it takes.
struct Case {
  std::string name;
  std::function<std::shared_ptr<nn::Module>()> make;
  std::function<Tensor(nn::Module&, const Tensor&)> forward;
  std::function<Tensor(std::int64_t)> batch;
};

template <class Model>
Case make_case(const std::string& name, std::function<Tensor(std::int64_t)> batch) {
  return {name, [] { return std::make_shared<Model>(); },
          [](nn::Module& model, const Tensor& x) -> Tensor { return dynamic_cast<Model&>(model).forward(x); },
          std::move(batch)};
}

inline std::vector<Case> all() {
  const auto images = [](std::int64_t n) { return torch::randn({n, 3, 16, 16}); };
  const auto sequences = [](std::int64_t n) { return torch::randn({n, 7, 6}); };
  const auto tokens = [](std::int64_t n) { return torch::randint(0, 30, {n, 7}); };
  return {make_case<ResNet>("resnet", images),       make_case<MobileNet>("mobilenet", images),
          make_case<LstmClassifier>("lstm", tokens), make_case<GruTagger>("gru", sequences),
          make_case<Encoder>("encoder", sequences),  make_case<Gpt>("gpt", tokens)};
}

}  // namespace float_models
