// Loss and accuracy on a data set: of a model, or of an exported package run without torch.
#pragma once

#include <filesystem>
#include <vector>

#include "training/data/dataset.h"
#include "training/models/models.h"

namespace samebits::training {

struct Evaluation {
  double loss = 0;              // mean cross entropy
  double accuracy_percent = 0;  // of largest logits
};

/// In eval mode without gradients; the model's mode is restored. `batch_size` images at a time.
Evaluation evaluate(Model& model, const Dataset& data, std::int64_t batch_size);

/// The same through runtime::Interpreter.
Evaluation evaluate_package(const std::filesystem::path& package, const Dataset& data,
                            std::int64_t batch_size);

/// All images, for verify().
std::vector<torch::Tensor> image_batches(const Dataset& data, std::int64_t batch_size);

}  // namespace samebits::training
