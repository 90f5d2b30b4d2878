// The task of a configuration: data, model, loss and metric as it names them, or as the data ask for.
#pragma once

#include <memory>

#include "training/tasks/task.h"

namespace samebits::training {

/// Reads the data. Throws UsageError on what is wrong with them, and on a loss or augmentation that they
/// cannot have.
std::unique_ptr<Task> make_data_task(const Config& config);

}  // namespace samebits::training
