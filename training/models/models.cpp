#include "training/models/models.h"

#include <algorithm>
#include <bit>
#include <string>
#include <vector>

#include "torch_ext/modules/max_pool2d.h"
#include "torch_ext/modules/qat_conv2d.h"
#include "torch_ext/modules/qat_linear.h"

namespace samebits::training {
namespace {

/// The fully connected end that both models share: fc1, relu, …, fcN on flattened input. Each relu is part of
/// the layer behind it.
class Classifier : public Model {
 protected:
  void add_linears(std::int64_t in_features, const std::vector<std::int64_t>& hidden, std::int64_t classes,
                   bool has_convs) {
    std::vector<std::int64_t> sizes = hidden;
    sizes.push_back(classes);
    for (const std::int64_t size : sizes) {
      const bool is_first = linears_.empty() && !has_convs;
      const auto options = QATLinearOptions(in_features, size).relu_input(!is_first);
      linears_.push_back(register_module("fc" + std::to_string(linears_.size() + 1), QATLinear(options)));
      in_features = size;
    }
  }

  torch::Tensor classify(torch::Tensor x) {
    x = torch::flatten(x, 1);
    for (QATLinear& linear : linears_) x = linear->forward(x);
    return x;
  }

 private:
  std::vector<QATLinear> linears_;
};

class Mlp : public Classifier {
 public:
  Mlp(const ModelConfig& config, const ImageShape& shape) {
    add_linears(shape.height * shape.width, config.hidden, shape.classes, /*has_convs=*/false);
  }
  torch::Tensor forward(const torch::Tensor& x) override { return classify(x); }
};

class Cnn : public Classifier {
 public:
  Cnn(const ModelConfig& config, ImageShape shape) {
    const auto pools = static_cast<std::size_t>(
                           std::bit_width(static_cast<std::uint64_t>(std::min(shape.height, shape.width)))) -
                       1;
    TORCH_CHECK(config.channels.size() <= pools, "[model] cnn: expected at most ", pools,
                " channels for images of ", shape.height, " x ", shape.width, " pixels, got ",
                config.channels.size(), "; each one halves them");
    std::int64_t in_channels = 1;
    for (const std::int64_t channels : config.channels) {
      convs_.push_back(register_module(
          "conv" + std::to_string(convs_.size() + 1),
          QATConv2d(QATConv2dOptions(in_channels, channels, 3).padding(1).relu_input(!convs_.empty()))));
      in_channels = channels;
      shape.height /= 2;
      shape.width /= 2;
    }
    add_linears(in_channels * shape.height * shape.width, config.hidden, shape.classes,
                !config.channels.empty());
  }
  torch::Tensor forward(const torch::Tensor& images) override {
    torch::Tensor x = images;
    // relu(pool(x)) is pool(relu(x)): the next layer's quantizer applies it to a quarter of the elements.
    for (QATConv2d& conv : convs_) x = samebits::max_pool2d(conv->forward(x), 2);
    return classify(x);
  }

 private:
  std::vector<QATConv2d> convs_;
};

}  // namespace

std::shared_ptr<Model> make_model(const ModelConfig& config, const ImageShape& shape) {
  if (config.name == "mlp") return std::make_shared<Mlp>(config, shape);
  return std::make_shared<Cnn>(config, shape);
}

}  // namespace samebits::training
