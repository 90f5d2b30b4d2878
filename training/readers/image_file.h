// One PNG or JPEG file as 8-bit grey or colour values, by libpng and libjpeg-turbo.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

namespace samebits::training {

struct ImagePixels {
  std::int64_t channels = 1, height = 0, width = 0;
  std::vector<std::uint8_t> pixels;  // [channels, height, width]
};

/// Reads an image as `channels` values a pixel: 1, grey, or 3, red, green, blue, converted where the file has
/// others; what is transparent lies on black. The file's first bytes say what it is, not its name. Throws
/// UsageError "[data] PATH: expected …" on a file that is neither, of more than 2^26 pixels, truncated or
/// damaged.
ImagePixels read_image(const std::filesystem::path& path, std::int64_t channels);

}  // namespace samebits::training
