// Loss and metric on a set of examples: of a model, or of an exported package run without torch.
#pragma once

#include <filesystem>

#include "training/tasks/task.h"

namespace samebits::training {

/// On the task's test set, in eval mode without gradients; the model's mode is restored. `batch_size`
/// examples at a time.
Evaluation evaluate(const TrainableModel& model, const Task& task, std::int64_t batch_size);
/// On other examples.
Evaluation evaluate_on(const Examples& examples, const TrainableModel& model, const Task& task,
                       std::int64_t batch_size);

/// evaluate() through runtime::Interpreter. Throws UsageError when the package cannot be read.
Evaluation evaluate_package(const std::filesystem::path& package, const Task& task, std::int64_t batch_size);

}  // namespace samebits::training
