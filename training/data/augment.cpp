#include "training/data/augment.h"

#include <torch/torch.h>

#include <vector>

namespace samebits::training {
namespace {

/// `images` in the middle of a margin.
torch::Tensor padded(const torch::Tensor& images, std::int64_t padding, const torch::Tensor& background) {
  const std::int64_t height = images.size(2), width = images.size(3);
  torch::Tensor result =
      background.expand({images.size(0), images.size(1), height + 2 * padding, width + 2 * padding}).clone();
  result.narrow(2, padding, height).narrow(3, padding, width).copy_(images);
  return result;
}

}  // namespace

torch::Tensor augmented(const torch::Tensor& images, const AugmentConfig& config,
                        const torch::Tensor& background, const StepPlace& place) {
  torch::Tensor result = images;
  const at::Generator random = generator_at(place, DrawPurpose::kAugment);
  const std::int64_t n = images.size(0), height = images.size(2), width = images.size(3);
  if (config.flip) {
    const torch::Tensor flips = torch::randint(0, 2, {n, 1, 1, 1}, random, torch::kBool);
    result = torch::where(flips, result.flip(3), result);
  }
  if (config.crop_padding > 0) {
    const torch::Tensor wide = padded(result, config.crop_padding, background);
    const torch::Tensor offsets =
        torch::randint(0, 2 * config.crop_padding + 1, {n, 2}, random, torch::kLong);
    std::vector<torch::Tensor> crops;
    for (std::int64_t i = 0; i < n; ++i)
      crops.push_back(wide[i]
                          .narrow(1, offsets[i][0].item<std::int64_t>(), height)
                          .narrow(2, offsets[i][1].item<std::int64_t>(), width));
    result = torch::stack(crops);
  }
  return result;
}

}  // namespace samebits::training
