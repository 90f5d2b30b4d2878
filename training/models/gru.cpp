#include "training/models/recurrent.h"

namespace samebits::training {

TrainableModel make_gru(const ModelConfig& config, const ModelRequest& request) {
  using Network = Recurrent<torch::nn::GRU, torch::nn::GRUOptions>;
  return trainable_model(std::make_shared<Network>(config, request, "gru"));
}

}  // namespace samebits::training
