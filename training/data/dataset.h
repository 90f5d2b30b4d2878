// Labelled images in memory, and batches of them in an order that depends on seed and epoch alone.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <filesystem>
#include <vector>

#include "training/config.h"

namespace samebits::training {

struct Batch {
  torch::Tensor images;  // float32 [n, 1, height, width], (pixel / 255 - mean) / deviation
  torch::Tensor labels;  // int64 [n]
};

/// What pixels are normalized by: mean and standard deviation of the training images' pixels / 255.
struct Normalization {
  float mean = 0.0f, deviation = 1.0f;
};

class Dataset {
 public:
  /// Reads PREFIX-images-idx3-ubyte and PREFIX-labels-idx1-ubyte (.gz or plain) from `root`; `limit` > 0
  /// keeps the first ones. Throws std::runtime_error "[data] …" on missing or damaged files, different
  /// counts, labels above 9.
  Dataset(const std::filesystem::path& root, const std::string& prefix, std::int64_t limit);

  std::int64_t size() const { return pixels_.size(0); }
  std::int64_t height() const { return pixels_.size(2); }
  std::int64_t width() const { return pixels_.size(3); }
  static constexpr std::int64_t kClasses = 10;

  Normalization measured_normalization() const;
  void normalize_by(const Normalization& normalization) { normalization_ = normalization; }

  /// The normalized pixel 0, of which images have a margin.
  float background() const;
  /// The images at `indices` (int64 [n]).
  Batch batch(const torch::Tensor& indices) const;
  /// Images [begin, end) in file order.
  Batch range(std::int64_t begin, std::int64_t end) const;

 private:
  torch::Tensor pixels_;  // uint8 [n, 1, height, width]
  torch::Tensor labels_;  // int64 [n]
  Normalization normalization_;
};

/// Train and test set of a configuration, normalized alike.
struct Datasets {
  Dataset train, test;
};
Datasets load_datasets(const DataConfig& config);

/// The order of training images in one epoch: a permutation of 0..n-1, int64.
torch::Tensor epoch_order(std::int64_t n, std::uint64_t seed, std::int64_t epoch);

/// Copies of images [n, 1, height, width], flipped and cropped out of a margin of `background`. Draws depend
/// on seed, epoch and step alone.
torch::Tensor augmented(const torch::Tensor& images, const AugmentConfig& config, float background,
                        std::uint64_t seed, std::int64_t epoch, std::int64_t step);

}  // namespace samebits::training
