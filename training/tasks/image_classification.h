// Classes of grey images from IDX files: cross entropy and accuracy.
#pragma once

#include <memory>

#include "training/tasks/task.h"

namespace samebits::training {

std::unique_ptr<Task> make_image_classification(const Config& config);

}  // namespace samebits::training
