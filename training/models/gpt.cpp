#include <torch/torch.h>

#include "training/models/models.h"
#include "training/models/names.h"

namespace samebits::training {
namespace {

class GptBlockImpl : public torch::nn::Module {
 public:
  GptBlockImpl(std::int64_t width, std::int64_t heads)
      : heads_(heads),
        norm1_(register_module("norm1", torch::nn::LayerNorm(torch::nn::LayerNormOptions({width})))),
        qkv_(register_module("qkv", torch::nn::Linear(width, 3 * width))),
        out_(register_module("out", torch::nn::Linear(width, width))),
        norm2_(register_module("norm2", torch::nn::LayerNorm(torch::nn::LayerNormOptions({width})))),
        up_(register_module("up", torch::nn::Linear(width, 4 * width))),
        down_(register_module("down", torch::nn::Linear(4 * width, width))) {}
  torch::Tensor forward(const torch::Tensor& x) {
    const torch::Tensor y = x + attention(norm1_(x));
    return y + down_(torch::gelu(up_(norm2_(y))));
  }

 private:
  torch::Tensor attention(const torch::Tensor& x) {
    const auto parts = qkv_(x).unflatten(2, {3, heads_, -1}).permute({2, 0, 3, 1, 4}).unbind(0);
    const torch::Tensor y = torch::scaled_dot_product_attention(parts[0], parts[1], parts[2], {}, 0.0,
                                                                /*is_causal=*/true);
    return out_(y.transpose(1, 2).flatten(2));
  }

  std::int64_t heads_;
  torch::nn::LayerNorm norm1_;
  torch::nn::Linear qkv_, out_;
  torch::nn::LayerNorm norm2_;
  torch::nn::Linear up_, down_;
};
TORCH_MODULE(GptBlock);

class Gpt : public torch::nn::Module {
 public:
  Gpt(const ModelConfig& config, const ModelRequest& request) {
    const std::int64_t width = config.width == 0 ? kOwnWidth : config.width;
    tokens_ = register_module("tokens", torch::nn::Embedding(request.outputs, width));
    // As a table of outputs too, it must not begin with the deviation of 1 that an embedding has.
    torch::nn::init::normal_(tokens_->weight, 0.0, 0.02);
    positions_ = register_parameter("positions", 0.02 * torch::randn({request.input[0], width}));
    blocks_ = register_module("blocks", torch::nn::Sequential());
    for (std::int64_t i = 0; i < (config.depth == 0 ? 2 : config.depth); ++i)
      blocks_->push_back(GptBlock(width, config.heads));
    norm_ = register_module("norm", torch::nn::LayerNorm(torch::nn::LayerNormOptions({width})));
  }
  torch::Tensor forward(const torch::Tensor& tokens) {
    const torch::Tensor x = blocks_->forward(tokens_(tokens) + positions_);
    return torch::linear(norm_(x), tokens_->weight);
  }

 private:
  torch::nn::Embedding tokens_{nullptr};
  torch::Tensor positions_;
  torch::nn::Sequential blocks_{nullptr};
  torch::nn::LayerNorm norm_{nullptr};
};

}  // namespace

TrainableModel make_gpt(const ModelConfig& config, const ModelRequest& request) {
  return trainable_model(std::make_shared<Gpt>(config, request));
}

}  // namespace samebits::training
