#include <torch/torch.h>

#include "training/models/models.h"

namespace samebits::training {
namespace {

/// A convolution of each channel by itself, then one of 1 x 1 over all, each with batch normalization and
/// ReLU.
class SeparableBlockImpl : public torch::nn::Module {
 public:
  SeparableBlockImpl(std::int64_t from, std::int64_t to, std::int64_t stride)
      : depthwise_(register_module(
            "depthwise",
            torch::nn::Conv2d(
                torch::nn::Conv2dOptions(from, from, 3).stride(stride).padding(1).groups(from).bias(false)))),
        depthwise_bn_(register_module("depthwise_bn", torch::nn::BatchNorm2d(from))),
        pointwise_(register_module("pointwise",
                                   torch::nn::Conv2d(torch::nn::Conv2dOptions(from, to, 1).bias(false)))),
        pointwise_bn_(register_module("pointwise_bn", torch::nn::BatchNorm2d(to))) {}
  torch::Tensor forward(const torch::Tensor& x) {
    const torch::Tensor y = torch::relu(depthwise_bn_(depthwise_(x)));
    return torch::relu(pointwise_bn_(pointwise_(y)));
  }

 private:
  torch::nn::Conv2d depthwise_;
  torch::nn::BatchNorm2d depthwise_bn_;
  torch::nn::Conv2d pointwise_;
  torch::nn::BatchNorm2d pointwise_bn_;
};
TORCH_MODULE(SeparableBlock);

class MobileNet : public torch::nn::Module {
 public:
  MobileNet(std::int64_t in_channels, std::int64_t outputs, std::int64_t width, std::int64_t blocks)
      : stem_(register_module(
            "stem",
            torch::nn::Conv2d(torch::nn::Conv2dOptions(in_channels, width, 3).padding(1).bias(false)))),
        bn_(register_module("bn", torch::nn::BatchNorm2d(width))),
        blocks_(register_module("blocks", torch::nn::Sequential())),
        fc_(register_module("fc", torch::nn::Linear(8 * width, outputs))) {
    std::int64_t channels = width;
    for (const std::int64_t stage : {2, 4, 8})
      for (std::int64_t i = 0; i < blocks; ++i) {
        blocks_->push_back(SeparableBlock(channels, stage * width, stage > 2 && i == 0 ? 2 : 1));
        channels = stage * width;
      }
  }
  torch::Tensor forward(const torch::Tensor& images) {
    const torch::Tensor x = blocks_->forward(torch::relu(bn_(stem_(images))));
    return fc_(torch::adaptive_avg_pool2d(x, {1, 1}).flatten(1));
  }

 private:
  torch::nn::Conv2d stem_;
  torch::nn::BatchNorm2d bn_;
  torch::nn::Sequential blocks_;
  torch::nn::Linear fc_;
};

}  // namespace

TrainableModel make_mobilenet(const ModelConfig& config, const ModelRequest& request) {
  const std::int64_t width = config.width == 0 ? 16 : config.width,
                     blocks = config.depth == 0 ? 2 : config.depth;
  return trainable_model(std::make_shared<MobileNet>(request.input[0], request.outputs, width, blocks));
}

}  // namespace samebits::training
