// One reader for both kinds of file; every way to be wrong has its message here or in packed_file.cpp.
#include "training/readers/idx.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>

#include "training/readers/data_error.h"
#include "training/readers/packed_file.h"
#include "training/report/text.h"

namespace samebits::training {
namespace {

constexpr std::uint32_t kLabelsMagic = 0x00000801, kImagesMagic = 0x00000803;
constexpr std::uint64_t kMaxElements = std::uint64_t{1} << 32;
constexpr char kCopyAgain[] = "copy or install the file again";

/// The payload's `size` bytes, and nothing behind them.
std::vector<std::uint8_t> read_payload(PackedFile& file, std::uint64_t size, const std::string& what) {
  std::vector<std::uint8_t> bytes;
  while (bytes.size() < size) {
    const std::size_t begin = bytes.size();
    // Twice as much as the file has shown to hold, so that a lying header costs no memory.
    const std::uint64_t room = std::max<std::uint64_t>(begin, 1u << 20);
    bytes.resize(static_cast<std::size_t>(std::min<std::uint64_t>(size, begin + room)));
    const std::size_t got = file.read(std::span(bytes).subspan(begin));
    if (begin + got < bytes.size())
      fail_data(file.path().string(), std::to_string(size) + " bytes of " + what, std::to_string(begin + got),
                std::string("the file is truncated; ") + kCopyAgain);
  }
  std::uint8_t extra = 0;
  if (file.read({&extra, 1}) != 0)
    fail_data(file.path().string(), std::to_string(size) + " bytes of " + what, "more",
              std::string("header and payload disagree; ") + kCopyAgain);
  if (!file.is_whole())
    fail_data(file.path().string(), "a whole gzip stream", "one without its end", kCopyAgain);
  return bytes;
}

PackedFile open_idx(const std::filesystem::path& path) {
  return {path, "an IDX file",
          "run \"apt install dataset-fashion-mnist\" or set data.idx to the folder that has it"};
}

std::uint32_t big_endian(const std::uint8_t* bytes) {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 |
         bytes[3];
}

/// Checks the magic and returns the sizes that follow it.
template <std::size_t dimensions>
std::array<std::uint64_t, dimensions> read_header(PackedFile& file, std::uint32_t magic,
                                                  const std::string& what) {
  std::array<std::uint8_t, 4 * (1 + dimensions)> bytes{};
  const std::size_t got = file.read(bytes);
  const std::uint32_t found = big_endian(bytes.data());
  if (got >= 4 && found != magic) {
    const bool is_other = found == kLabelsMagic || found == kImagesMagic;
    const std::string other = found == kLabelsMagic ? "labels" : "images";
    fail_data(
        file.path().string(), formatted("the IDX magic 0x%08x of %s", magic, what.c_str()),
        formatted("0x%08x", found),
        is_other ? "this is a file of " + other : "name an IDX file of unsigned bytes, gzipped or plain");
  }
  if (got < bytes.size()) {
    fail_data(file.path().string(), formatted("an IDX header of %zu bytes", bytes.size()),
              std::to_string(got), std::string("the file is truncated; ") + kCopyAgain);
  }
  std::array<std::uint64_t, dimensions> sizes{};
  for (std::size_t i = 0; i < dimensions; ++i) sizes[i] = big_endian(bytes.data() + 4 * (1 + i));
  return sizes;
}

/// The product of `sizes`, which must be in 1..kMaxElements.
std::uint64_t element_count(const PackedFile& file, std::span<const std::uint64_t> sizes,
                            const std::string& what) {
  std::uint64_t count = 1;
  bool fits = true;
  std::string shape;
  for (const std::uint64_t size : sizes) {
    fits = fits && size > 0 && size <= kMaxElements / count;
    if (fits) count *= size;
    shape += (shape.empty() ? "" : " x ") + std::to_string(size);
  }
  if (!fits)
    fail_data(file.path().string(), "1 to 4294967296 " + what, shape,
              std::string("the header is damaged; ") + kCopyAgain);
  return count;
}

}  // namespace

IdxImages read_idx_images(const std::filesystem::path& path) {
  PackedFile file = open_idx(path);
  const auto sizes = read_header<3>(file, kImagesMagic, "images");
  IdxImages images;
  images.count = static_cast<std::int64_t>(sizes[0]);
  images.rows = static_cast<std::int64_t>(sizes[1]);
  images.columns = static_cast<std::int64_t>(sizes[2]);
  images.pixels = read_payload(file, element_count(file, sizes, "pixels"), "pixels");
  return images;
}

std::vector<std::uint8_t> read_idx_labels(const std::filesystem::path& path) {
  PackedFile file = open_idx(path);
  const auto sizes = read_header<1>(file, kLabelsMagic, "labels");
  return read_payload(file, element_count(file, sizes, "labels"), "labels");
}

Arrays read_idx_folder(const std::filesystem::path& folder, const std::string& prefix, std::int64_t classes) {
  const auto gz_or_plain = [&](const std::string& name) {
    const std::filesystem::path plain = folder / name;
    return std::filesystem::exists(plain) ? plain : folder / (name + ".gz");
  };
  const auto labels_path = gz_or_plain(prefix + "-labels-idx1-ubyte");
  IdxImages images = read_idx_images(gz_or_plain(prefix + "-images-idx3-ubyte"));
  const std::vector<std::uint8_t> labels = read_idx_labels(labels_path);
  if (images.count != static_cast<std::int64_t>(labels.size()))
    fail_data(labels_path.string(), std::to_string(images.count) + " labels, one an image",
              std::to_string(labels.size()), "the two files belong to different sets");
  for (std::size_t i = 0; i < labels.size(); ++i)
    if (labels[i] >= classes)
      fail_data(labels_path.string(), "labels in 0.." + std::to_string(classes - 1),
                std::to_string(labels[i]) + " at image " + std::to_string(i),
                "is data.classes " + std::to_string(classes) + " right?");
  return {.count = images.count,
          .shape = {1, images.rows, images.columns},
          .bytes = std::move(images.pixels),
          .outputs = classes,
          .labels = {labels.begin(), labels.end()}};
}

}  // namespace samebits::training
