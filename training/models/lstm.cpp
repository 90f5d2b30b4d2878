#include "training/models/recurrent.h"

namespace samebits::training {

TrainableModel make_lstm(const ModelConfig& config, const ModelRequest& request) {
  using Network = Recurrent<torch::nn::LSTM, torch::nn::LSTMOptions>;
  return trainable_model(std::make_shared<Network>(config, request, "lstm"));
}

}  // namespace samebits::training
