// Images in a folder per class.
#pragma once

#include <filesystem>

#include "training/readers/arrays.h"

namespace samebits::training {

struct ImageFolderOptions {
  std::int64_t size = 0;      // height and width that each must have; 0: those of the first one
  std::int64_t channels = 3;  // 1 or 3
  const Arrays* training =
      nullptr;  // the part whose classes and sizes this one must have; null: this one's own
};

/// Reads FOLDER/CLASS/*.{png,jpg,jpeg}: classes and images in the order of their names, hidden files left
/// out. Throws UsageError "[data] PATH: expected …" on a missing folder, fewer than two classes, a class
/// without images, a file that is no image, an image of another size, a class that training does not have.
Arrays read_image_folder(const std::filesystem::path& folder, const ImageFolderOptions& options);

}  // namespace samebits::training
