// Loss and metric on the test set: of a model, or of an exported package run without torch.
#pragma once

#include <filesystem>

#include "training/tasks/task.h"

namespace samebits::training {

struct Evaluation {
  double loss = 0;   // mean of the task's loss
  double score = 0;  // the task's metric
};

/// In eval mode without gradients; the model's mode is restored. `batch_size` examples at a time.
Evaluation evaluate(Model& model, const Task& task, std::int64_t batch_size);

/// The same through runtime::Interpreter. Throws UsageError when the package cannot be read.
Evaluation evaluate_package(const std::filesystem::path& package, const Task& task, std::int64_t batch_size);

}  // namespace samebits::training
