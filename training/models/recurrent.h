// What lstm and gru share: all but the cell.
#pragma once

#include <torch/torch.h>

#include "training/models/models.h"
#include "training/models/names.h"
#include "training/models/rows.h"

namespace samebits::training {

/// `Cell` is torch::nn::LSTM or GRU, `Options` its options.
template <class Cell, class Options>
class Recurrent : public torch::nn::Module {
 public:
  Recurrent(const ModelConfig& config, const ModelRequest& request, const char* cell_name)
      : is_tokens_(request.is_tokens) {
    const std::int64_t width = config.width == 0 ? kOwnWidth : config.width;
    const std::int64_t features = is_tokens_ ? width : row_shape(request).features;
    if (is_tokens_) embedding_ = register_module("embedding", torch::nn::Embedding(request.outputs, width));
    const std::int64_t layers = config.depth == 0 ? 1 : config.depth;
    cell_ = register_module(cell_name, Cell(Options(features, width).num_layers(layers).batch_first(true)));
    fc_ = register_module("fc", torch::nn::Linear(width, request.outputs));
  }
  torch::Tensor forward(const torch::Tensor& x) {
    const torch::Tensor y = std::get<0>(cell_(is_tokens_ ? embedding_(x) : rows_of(x)));
    return fc_(is_tokens_ ? y : y.select(1, -1));
  }

 private:
  bool is_tokens_;
  torch::nn::Embedding embedding_{nullptr};
  Cell cell_{nullptr};
  torch::nn::Linear fc_{nullptr};
};

}  // namespace samebits::training
