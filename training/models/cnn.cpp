#include <algorithm>
#include <bit>
#include <string>

#include "torch_ext/modules/max_pool2d.h"
#include "torch_ext/modules/qat_conv2d.h"
#include "training/errors.h"
#include "training/models/linears.h"
#include "training/models/models.h"

namespace samebits::training {
namespace {

void check_pools(std::size_t convs, std::int64_t height, std::int64_t width) {
  const auto least = static_cast<std::uint64_t>(std::min(height, width));
  const auto pools = static_cast<std::size_t>(std::bit_width(least)) - 1;
  if (convs > pools)
    throw UsageError("[model] cnn: expected at most " + std::to_string(pools) + " channels for images of " +
                     std::to_string(height) + " x " + std::to_string(width) + " pixels, got " +
                     std::to_string(convs) + "; each one halves them");
}

class Cnn : public torch::nn::Module {
 public:
  Cnn(const ModelConfig& config, const ModelRequest& request) {
    std::int64_t channels = request.input[0], height = request.input[1], width = request.input[2];
    check_pools(config.channels.size(), height, width);
    for (const std::int64_t out_channels : config.channels) {
      const auto options = QATConv2dOptions(channels, out_channels, 3).padding(1).relu_input(!convs_.empty());
      convs_.push_back(register_module("conv" + std::to_string(convs_.size() + 1), QATConv2d(options)));
      channels = out_channels;
      height /= 2;
      width /= 2;
    }
    std::vector<std::int64_t> sizes = config.hidden;
    sizes.push_back(request.outputs);
    linears_.add(*this, channels * height * width, sizes, /*is_input_relu=*/!convs_.empty());
  }
  torch::Tensor forward(const torch::Tensor& images) {
    torch::Tensor x = images;
    // relu(pool(x)) is pool(relu(x)): the next layer's quantizer applies it to a quarter of the elements.
    for (QATConv2d& conv : convs_) x = samebits::max_pool2d(conv->forward(x), 2);
    return linears_.forward(x);
  }

 private:
  std::vector<QATConv2d> convs_;
  Linears linears_;
};

}  // namespace

TrainableModel make_cnn(const ModelConfig& config, const ModelRequest& request) {
  return trainable_model(std::make_shared<Cnn>(config, request));
}

}  // namespace samebits::training
