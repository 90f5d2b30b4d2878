// Labelled images in memory, normalized, and what chance does to those of training.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <vector>

#include "training/config.h"
#include "training/data/examples.h"
#include "training/data/random.h"

namespace samebits::training {

/// What pixels are normalized by: mean and standard deviation of the training images' pixels / 255.
struct Normalization {
  float mean = 0.0f, deviation = 1.0f;
};

/// Batches: x float32 [n, 1, height, width], (pixel / 255 - mean) / deviation; target int64 [n].
class ImageSet : public Examples {
 public:
  /// Reads PREFIX-images-idx3-ubyte and PREFIX-labels-idx1-ubyte (.gz or plain) from `root`; `limit` > 0
  /// keeps the first ones. Throws UsageError "[data] …" on missing or damaged files, different
  /// counts, labels above 9.
  ImageSet(const std::filesystem::path& root, const std::string& prefix, std::int64_t limit);

  std::int64_t size() const override { return pixels_.size(0); }
  std::int64_t height() const { return pixels_.size(2); }
  std::int64_t width() const { return pixels_.size(3); }
  static constexpr std::int64_t kClasses = 10;

  Normalization measured_normalization() const;
  void normalize_by(const Normalization& normalization) { normalization_ = normalization; }

  /// The normalized pixel 0, of which images have a margin.
  float background() const;
  Batch batch(const torch::Tensor& indices) const override;

 private:
  torch::Tensor pixels_;  // uint8 [n, 1, height, width]
  torch::Tensor labels_;  // int64 [n]
  Normalization normalization_;
};

/// Train and test set of a configuration, normalized alike.
struct TrainAndTest {
  ImageSet train, test;
};
TrainAndTest load_images(const DataConfig& config);

/// Copies of images [n, 1, height, width], flipped and cropped out of a margin of `background`. Draws depend
/// on `place` alone.
torch::Tensor augmented(const torch::Tensor& images, const AugmentConfig& config, float background,
                        const StepPlace& place);

}  // namespace samebits::training
