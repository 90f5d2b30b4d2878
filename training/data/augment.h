// What chance does to training images.
#pragma once

#include <torch/types.h>

#include "training/config.h"
#include "training/data/random.h"

namespace samebits::training {

/// Copies of images [n, channels, height, width], flipped and cropped out of a margin of `background`
/// [channels, 1, 1]. Draws depend on `place` alone.
torch::Tensor augmented(const torch::Tensor& images, const AugmentConfig& config,
                        const torch::Tensor& background, const StepPlace& place);

}  // namespace samebits::training
