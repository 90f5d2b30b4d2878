// The models that a YAML file can name: one table, a file a model. cnn and mlp are built of QAT layers, which
// compute as torch's own until they are told to quantize; the others are ordinary modules of LibTorch, which
// QAT captures.
#pragma once

#include "training/config.h"
#include "training/models/model.h"

namespace samebits::training {

/// The model that `config` names: built in, of a plug-in, or an archive of torch.export, which has parameters
/// of its own; others are drawn from torch's default generator. Throws UsageError when it does not fit the
/// data.
TrainableModel make_model(const ModelConfig& config, const ModelRequest& request);

/// conv1, relu, max pool 2, conv2, …, flatten, fc1, relu, …, fcN.
TrainableModel make_cnn(const ModelConfig& config, const ModelRequest& request);
/// flatten, fc1, relu, …, fcN.
TrainableModel make_mlp(const ModelConfig& config, const ModelRequest& request);
/// Three stages of residual blocks with batch normalization (He et al. 2015, section 4.2): 20 layers with
/// depth 3.
TrainableModel make_resnet20(const ModelConfig& config, const ModelRequest& request);
/// Three stages of depthwise separable convolutions with batch normalization (Howard et al. 2017).
TrainableModel make_mobilenet(const ModelConfig& config, const ModelRequest& request);
/// The last output of a recurrent network over rows to a class, or every output to the next token.
TrainableModel make_lstm(const ModelConfig& config, const ModelRequest& request);
TrainableModel make_gru(const ModelConfig& config, const ModelRequest& request);
/// torch::nn::TransformerEncoder over rows with learned positions, and the mean of its outputs to a class.
TrainableModel make_transformer(const ModelConfig& config, const ModelRequest& request);
/// A decoder with causal attention, normalization before each part, and one table for tokens in and out.
TrainableModel make_gpt(const ModelConfig& config, const ModelRequest& request);

}  // namespace samebits::training
