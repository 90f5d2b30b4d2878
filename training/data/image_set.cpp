#include "training/data/image_set.h"

#include <torch/torch.h>

#include <cmath>

#include "training/data/idx.h"
#include "training/errors.h"

namespace samebits::training {
namespace {

namespace fs = std::filesystem;

fs::path gz_or_plain(const fs::path& root, const std::string& name) {
  const fs::path plain = root / name;
  return fs::exists(plain) ? plain : root / (name + ".gz");
}

}  // namespace

ImageSet::ImageSet(const fs::path& root, const std::string& prefix, std::int64_t limit) {
  const fs::path images_path = gz_or_plain(root, prefix + "-images-idx3-ubyte");
  const fs::path labels_path = gz_or_plain(root, prefix + "-labels-idx1-ubyte");
  const IdxImages images = read_idx_images(images_path);
  const std::vector<std::uint8_t> labels = read_idx_labels(labels_path);
  if (images.count != static_cast<std::int64_t>(labels.size()))
    throw UsageError("[data] " + labels_path.string() + ": expected " + std::to_string(images.count) +
                     " labels, one an image, got " + std::to_string(labels.size()) +
                     "; the two files belong to different sets");
  for (std::size_t i = 0; i < labels.size(); ++i)
    if (labels[i] >= kClasses)
      throw UsageError("[data] " + labels_path.string() + ": expected labels in 0..9, got " +
                       std::to_string(labels[i]) + " at image " + std::to_string(i));
  const std::int64_t count = limit > 0 ? std::min(limit, images.count) : images.count;
  pixels_ = torch::from_blob(const_cast<std::uint8_t*>(images.pixels.data()),
                             {images.count, 1, images.rows, images.columns}, torch::kByte)
                .narrow(0, 0, count)
                .clone();
  labels_ = torch::from_blob(const_cast<std::uint8_t*>(labels.data()), {images.count}, torch::kByte)
                .narrow(0, 0, count)
                .to(torch::kLong);
}

Normalization ImageSet::measured_normalization() const {
  // Integer sums are exact: the result does not depend on threads.
  const std::uint8_t* pixels = pixels_.const_data_ptr<std::uint8_t>();
  std::uint64_t sum = 0, sum_of_squares = 0;
  for (std::int64_t i = 0; i < pixels_.numel(); ++i) {
    sum += pixels[i];
    sum_of_squares += static_cast<std::uint64_t>(pixels[i]) * pixels[i];
  }
  const double n = static_cast<double>(pixels_.numel()), mean = static_cast<double>(sum) / n;
  const double variance = static_cast<double>(sum_of_squares) / n - mean * mean;
  return {static_cast<float>(mean / 255), static_cast<float>(variance > 0 ? std::sqrt(variance) / 255 : 1)};
}

float ImageSet::background() const {
  return (0.0f - normalization_.mean) / normalization_.deviation;
}

Batch ImageSet::batch(const torch::Tensor& indices) const {
  return {pixels_.index_select(0, indices)
              .to(torch::kFloat)
              .div_(255.0f)
              .sub_(normalization_.mean)
              .div_(normalization_.deviation),
          labels_.index_select(0, indices)};
}

TrainAndTest load_images(const DataConfig& config) {
  TrainAndTest sets{ImageSet(config.root, "train", config.train_limit),
                    ImageSet(config.root, "t10k", config.test_limit)};
  if (sets.train.height() != sets.test.height() || sets.train.width() != sets.test.width())
    throw UsageError("[data] " + config.root + ": expected test images of " +
                     std::to_string(sets.train.height()) + " x " + std::to_string(sets.train.width()) +
                     " pixels like the training images, got " + std::to_string(sets.test.height()) + " x " +
                     std::to_string(sets.test.width()));
  const Normalization normalization = sets.train.measured_normalization();
  sets.train.normalize_by(normalization);
  sets.test.normalize_by(normalization);
  return sets;
}

torch::Tensor augmented(const torch::Tensor& images, const AugmentConfig& config, float background,
                        const StepPlace& place) {
  torch::Tensor result = images;
  const at::Generator random = generator_at(place, DrawPurpose::kAugment);
  const std::int64_t n = images.size(0), height = images.size(2), width = images.size(3);
  if (config.flip) {
    const torch::Tensor flips = torch::randint(0, 2, {n, 1, 1, 1}, random, torch::kBool);
    result = torch::where(flips, result.flip(3), result);
  }
  if (config.crop_padding > 0) {
    const std::int64_t padding = config.crop_padding;
    const torch::Tensor padded =
        torch::constant_pad_nd(result, {padding, padding, padding, padding}, background);
    const torch::Tensor offsets = torch::randint(0, 2 * padding + 1, {n, 2}, random, torch::kLong);
    std::vector<torch::Tensor> crops;
    for (std::int64_t i = 0; i < n; ++i)
      crops.push_back(padded[i]
                          .narrow(1, offsets[i][0].item<std::int64_t>(), height)
                          .narrow(2, offsets[i][1].item<std::int64_t>(), width));
    result = torch::stack(crops);
  }
  return result;
}

}  // namespace samebits::training
