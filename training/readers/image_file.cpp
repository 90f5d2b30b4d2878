#include "training/readers/image_file.h"

#include <png.h>
#include <turbojpeg.h>

#include <memory>
#include <string>
#include <string_view>

#include "training/readers/data_error.h"
#include "training/readers/packed_file.h"

namespace samebits::training {
namespace {

constexpr char kCopyAgain[] = "copy the file again or remove it";
constexpr std::int64_t kMaxPixels = std::int64_t{1} << 26;

void check_size(std::int64_t height, std::int64_t width, const std::string& where) {
  if (height < 1 || width < 1 || height * width > kMaxPixels)
    fail_data(where, "1 to 67108864 pixels", std::to_string(height) + " x " + std::to_string(width),
              kCopyAgain);
}

/// [height, width, channels] to [channels, height, width].
ImagePixels channels_first(std::int64_t height, std::int64_t width,
                           const std::vector<std::uint8_t>& interleaved) {
  const auto area = static_cast<std::size_t>(height * width);
  const std::size_t channels = interleaved.size() / area;
  ImagePixels image{static_cast<std::int64_t>(channels), height, width,
                    std::vector<std::uint8_t>(interleaved.size())};
  for (std::size_t i = 0; i < area; ++i)
    for (std::size_t c = 0; c < channels; ++c) image.pixels[c * area + i] = interleaved[i * channels + c];
  return image;
}

ImagePixels read_png(const std::string& bytes, std::int64_t channels, const std::string& where) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  const std::unique_ptr<png_image, decltype(&png_image_free)> freed(&image, png_image_free);
  const auto fail = [&] {
    fail_data(where, "an intact PNG image", "\"" + std::string(image.message) + "\"", kCopyAgain);
  };
  if (png_image_begin_read_from_memory(&image, bytes.data(), bytes.size()) == 0) fail();
  check_size(image.height, image.width, where);
  image.format = channels == 1 ? PNG_FORMAT_GRAY : PNG_FORMAT_RGB;
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(image.height) * image.width *
                                   static_cast<std::size_t>(channels));
  const png_color black{};
  const std::int64_t height = image.height, width = image.width;
  if (png_image_finish_read(&image, &black, pixels.data(), 0, nullptr) == 0 || PNG_IMAGE_FAILED(image))
    fail();
  return channels_first(height, width, pixels);
}

ImagePixels read_jpeg(const std::string& bytes, std::int64_t channels, const std::string& where) {
  const std::unique_ptr<void, decltype(&tjDestroy)> decoder(tjInitDecompress(), tjDestroy);
  if (!decoder) throw std::bad_alloc();
  const auto fail = [&] {
    fail_data(where, "an intact JPEG image", "\"" + std::string(tjGetErrorStr2(decoder.get())) + "\"",
              kCopyAgain);
  };
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  int width = 0, height = 0, subsampling = 0, colours = 0;
  if (tjDecompressHeader3(decoder.get(), data, bytes.size(), &width, &height, &subsampling, &colours) != 0)
    fail();
  check_size(height, width, where);
  std::vector<std::uint8_t> pixels(static_cast<std::size_t>(height) * static_cast<std::size_t>(width) *
                                   static_cast<std::size_t>(channels));
  // A truncated file is a warning to libjpeg, which fills the rest with grey.
  if (tjDecompress2(decoder.get(), data, bytes.size(), pixels.data(), width, 0, height,
                    channels == 1 ? TJPF_GRAY : TJPF_RGB, TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING) != 0)
    fail();
  return channels_first(height, width, pixels);
}

}  // namespace

ImagePixels read_image(const std::filesystem::path& path, std::int64_t channels) {
  const std::string bytes = read_packed(path, "an image");
  if (bytes.starts_with("\x89PNG\r\n\x1a\n")) return read_png(bytes, channels, path.string());
  if (bytes.starts_with("\xff\xd8\xff")) return read_jpeg(bytes, channels, path.string());
  fail_data(path.string(), "a PNG or JPEG image", bytes.empty() ? "an empty file" : "a file of another kind",
            "convert it or remove it");
}

}  // namespace samebits::training
