// One reader over zlib for both kinds of file; every way to be wrong has its message here.
#include "training/data/idx.h"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>

#include "training/report/text.h"

namespace samebits::training {
namespace {

constexpr std::uint32_t kLabelsMagic = 0x00000801, kImagesMagic = 0x00000803;
constexpr std::uint64_t kMaxElements = std::uint64_t{1} << 32;
constexpr char kCopyAgain[] = "copy or install the file again";

/// One open file. zlib passes a file that is not gzipped through as it is.
class IdxFile {
 public:
  explicit IdxFile(const std::filesystem::path& path)
      : path_(path.string()), file_(gzopen(path.c_str(), "rb")) {
    if (file_ != nullptr) return;
    const std::string cause = errno == ENOENT ? "no such file" : std::strerror(errno);
    fail("an IDX file", cause,
         "run \"apt install dataset-fashion-mnist\" or set data.root to the folder that has it");
  }

  [[noreturn]] void fail(const std::string& expected, const std::string& got, const std::string& hint) const {
    throw std::runtime_error("[data] " + path_ + ": expected " + expected + ", got " + got + "; " + hint);
  }

  /// Fills `bytes` as far as the file goes; returns how many there were.
  std::size_t read(std::span<std::uint8_t> bytes) {
    std::size_t done = 0;
    while (done < bytes.size()) {
      const auto wanted = static_cast<unsigned>(std::min<std::size_t>(bytes.size() - done, 1u << 20));
      const int got = gzread(file_.get(), bytes.data() + done, wanted);
      if (got < 0) fail_reading();
      if (got == 0) break;
      done += static_cast<std::size_t>(got);
    }
    return done;
  }

  /// The payload's `size` bytes, and nothing behind them. zlib checks the CRC only when it is asked for more.
  std::vector<std::uint8_t> read_payload(std::uint64_t size, const std::string& what) {
    std::vector<std::uint8_t> bytes;
    while (bytes.size() < size) {
      const std::size_t begin = bytes.size();
      // Twice as much as the file has shown to hold, so that a lying header costs no memory.
      const std::uint64_t room = std::max<std::uint64_t>(begin, 1u << 20);
      bytes.resize(static_cast<std::size_t>(std::min<std::uint64_t>(size, begin + room)));
      const std::size_t got = read(std::span(bytes).subspan(begin));
      if (begin + got < bytes.size()) {
        fail(std::to_string(size) + " bytes of " + what, std::to_string(begin + got),
             std::string("the file is truncated; ") + kCopyAgain);
      }
    }
    std::uint8_t extra = 0;
    if (read({&extra, 1}) != 0) {
      fail(std::to_string(size) + " bytes of " + what, "more",
           std::string("header and payload disagree; ") + kCopyAgain);
    }
    int code = Z_OK;
    gzerror(file_.get(), &code);
    if (code != Z_OK) fail("a whole gzip stream", "one without its end", kCopyAgain);
    return bytes;
  }

 private:
  struct Close {
    void operator()(gzFile_s* file) const { gzclose(file); }
  };

  [[noreturn]] void fail_reading() const {
    int code = Z_OK;
    const std::string text = gzerror(file_.get(), &code);
    if (code == Z_ERRNO)
      fail("a readable file", std::strerror(errno), "name a file of which you may read every byte");
    const std::string prefix = path_ + ": ";  // zlib names the file itself
    const std::string cause = text.starts_with(prefix) ? text.substr(prefix.size()) : text;
    fail("an intact gzip stream", "\"" + cause + "\"", kCopyAgain);
  }

  std::string path_;
  std::unique_ptr<gzFile_s, Close> file_;
};

std::uint32_t big_endian(const std::uint8_t* bytes) {
  return std::uint32_t{bytes[0]} << 24 | std::uint32_t{bytes[1]} << 16 | std::uint32_t{bytes[2]} << 8 |
         bytes[3];
}

/// Checks the magic and returns the sizes that follow it.
template <std::size_t dimensions>
std::array<std::uint64_t, dimensions> read_header(IdxFile& file, std::uint32_t magic,
                                                  const std::string& what) {
  std::array<std::uint8_t, 4 * (1 + dimensions)> bytes{};
  const std::size_t got = file.read(bytes);
  const std::uint32_t found = big_endian(bytes.data());
  if (got >= 4 && found != magic) {
    const bool is_other = found == kLabelsMagic || found == kImagesMagic;
    const std::string other = found == kLabelsMagic ? "labels" : "images";
    file.fail(
        formatted("the IDX magic 0x%08x of %s", magic, what.c_str()), formatted("0x%08x", found),
        is_other ? "this is a file of " + other : "name an IDX file of unsigned bytes, gzipped or plain");
  }
  if (got < bytes.size()) {
    file.fail(formatted("an IDX header of %zu bytes", bytes.size()), std::to_string(got),
              std::string("the file is truncated; ") + kCopyAgain);
  }
  std::array<std::uint64_t, dimensions> sizes{};
  for (std::size_t i = 0; i < dimensions; ++i) sizes[i] = big_endian(bytes.data() + 4 * (1 + i));
  return sizes;
}

/// The product of `sizes`, which must be in 1..kMaxElements.
std::uint64_t element_count(const IdxFile& file, std::span<const std::uint64_t> sizes,
                            const std::string& what) {
  std::uint64_t count = 1;
  bool fits = true;
  std::string shape;
  for (const std::uint64_t size : sizes) {
    fits = fits && size > 0 && size <= kMaxElements / count;
    if (fits) count *= size;
    shape += (shape.empty() ? "" : " x ") + std::to_string(size);
  }
  if (!fits) file.fail("1 to 4294967296 " + what, shape, std::string("the header is damaged; ") + kCopyAgain);
  return count;
}

}  // namespace

IdxImages read_idx_images(const std::filesystem::path& path) {
  IdxFile file(path);
  const auto sizes = read_header<3>(file, kImagesMagic, "images");
  IdxImages images;
  images.count = static_cast<std::int64_t>(sizes[0]);
  images.rows = static_cast<std::int64_t>(sizes[1]);
  images.columns = static_cast<std::int64_t>(sizes[2]);
  images.pixels = file.read_payload(element_count(file, sizes, "pixels"), "pixels");
  return images;
}

std::vector<std::uint8_t> read_idx_labels(const std::filesystem::path& path) {
  IdxFile file(path);
  const auto sizes = read_header<1>(file, kLabelsMagic, "labels");
  return file.read_payload(element_count(file, sizes, "labels"), "labels");
}

}  // namespace samebits::training
