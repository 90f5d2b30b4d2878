#include <torch/torch.h>

#include "training/models/models.h"

namespace samebits::training {
namespace {

torch::nn::Conv2d convolution(std::int64_t from, std::int64_t to, std::int64_t kernel, std::int64_t stride) {
  const auto options =
      torch::nn::Conv2dOptions(from, to, kernel).stride(stride).padding(kernel / 2).bias(false);
  return torch::nn::Conv2d(options);
}

/// relu(bn2(conv2(relu(bn1(conv1(x))))) + x), where x goes through a convolution of 1 x 1 if its shape
/// changes.
class ResidualBlockImpl : public torch::nn::Module {
 public:
  ResidualBlockImpl(std::int64_t from, std::int64_t to, std::int64_t stride)
      : conv1_(register_module("conv1", convolution(from, to, 3, stride))),
        bn1_(register_module("bn1", torch::nn::BatchNorm2d(to))),
        conv2_(register_module("conv2", convolution(to, to, 3, 1))),
        bn2_(register_module("bn2", torch::nn::BatchNorm2d(to))) {
    if (from == to && stride == 1) return;
    shortcut_ = register_module("shortcut", convolution(from, to, 1, stride));
    shortcut_bn_ = register_module("shortcut_bn", torch::nn::BatchNorm2d(to));
  }
  torch::Tensor forward(const torch::Tensor& x) {
    const torch::Tensor y = bn2_(conv2_(torch::relu(bn1_(conv1_(x)))));
    return torch::relu(y + (shortcut_.is_empty() ? x : shortcut_bn_(shortcut_(x))));
  }

 private:
  torch::nn::Conv2d conv1_;
  torch::nn::BatchNorm2d bn1_;
  torch::nn::Conv2d conv2_;
  torch::nn::BatchNorm2d bn2_;
  torch::nn::Conv2d shortcut_{nullptr};
  torch::nn::BatchNorm2d shortcut_bn_{nullptr};
};
TORCH_MODULE(ResidualBlock);

class ResNet : public torch::nn::Module {
 public:
  ResNet(std::int64_t in_channels, std::int64_t outputs, std::int64_t width, std::int64_t blocks)
      : stem_(register_module("stem", convolution(in_channels, width, 3, 1))),
        bn_(register_module("bn", torch::nn::BatchNorm2d(width))),
        blocks_(register_module("blocks", torch::nn::Sequential())),
        fc_(register_module("fc", torch::nn::Linear(4 * width, outputs))) {
    std::int64_t channels = width;
    for (const std::int64_t stage : {1, 2, 4})
      for (std::int64_t i = 0; i < blocks; ++i) {
        blocks_->push_back(ResidualBlock(channels, stage * width, stage > 1 && i == 0 ? 2 : 1));
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

TrainableModel make_resnet20(const ModelConfig& config, const ModelRequest& request) {
  const std::int64_t width = config.width == 0 ? 16 : config.width,
                     blocks = config.depth == 0 ? 3 : config.depth;
  return trainable_model(std::make_shared<ResNet>(request.input[0], request.outputs, width, blocks));
}

}  // namespace samebits::training
