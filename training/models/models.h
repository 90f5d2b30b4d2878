// The models that a YAML file can name: one table, a file a model. Built of QAT layers, which compute as
// torch's own until they are told to quantize.
#pragma once

#include <memory>

#include "training/config.h"
#include "training/models/model.h"

namespace samebits::training {

/// The model that `config.name` says. Parameters are drawn from torch's default generator. Throws UsageError
/// when it does not fit the input.
std::shared_ptr<Model> make_model(const ModelConfig& config, const ExampleShape& shape);

/// conv1, relu, max pool 2, conv2, …, flatten, fc1, relu, …, fcN.
std::shared_ptr<Model> make_cnn(const ModelConfig& config, const ExampleShape& shape);
/// flatten, fc1, relu, …, fcN.
std::shared_ptr<Model> make_mlp(const ModelConfig& config, const ExampleShape& shape);

}  // namespace samebits::training
