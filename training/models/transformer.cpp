#include <torch/torch.h>

#include "training/models/models.h"
#include "training/models/names.h"
#include "training/models/rows.h"

namespace samebits::training {
namespace {

class Transformer : public torch::nn::Module {
 public:
  Transformer(const ModelConfig& config, const ModelRequest& request) {
    const std::int64_t width = config.width == 0 ? kOwnWidth : config.width;
    const RowShape rows = row_shape(request);
    const auto layer = torch::nn::TransformerEncoderLayerOptions(width, config.heads)
                           .dim_feedforward(4 * width)
                           .dropout(0.0);
    embedding_ = register_module("embedding", torch::nn::Linear(rows.features, width));
    positions_ = register_parameter("positions", 0.02 * torch::randn({rows.length, 1, width}));
    encoder_ = register_module(
        "encoder", torch::nn::TransformerEncoder(torch::nn::TransformerEncoderOptions(
                       torch::nn::TransformerEncoderLayer(layer), config.depth == 0 ? 2 : config.depth)));
    fc_ = register_module("fc", torch::nn::Linear(width, request.outputs));
  }
  torch::Tensor forward(const torch::Tensor& x) {
    const torch::Tensor rows =
        embedding_(rows_of(x)).transpose(0, 1);  // the encoder takes [length, n, width]
    return fc_(encoder_(rows + positions_).mean(0));
  }

 private:
  torch::nn::Linear embedding_{nullptr};
  torch::Tensor positions_;
  torch::nn::TransformerEncoder encoder_{nullptr};
  torch::nn::Linear fc_{nullptr};
};

}  // namespace

TrainableModel make_transformer(const ModelConfig& config, const ModelRequest& request) {
  return trainable_model(std::make_shared<Transformer>(config, request));
}

}  // namespace samebits::training
