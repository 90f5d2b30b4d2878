#include "io/npy.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>
#include <utility>

#include "io/error.h"

namespace samebits::io {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr std::size_t kAlignment = 64;
/// NumPy leaves room for the first size to grow to so many digits.
constexpr std::size_t kGrowthDigits = 21;
constexpr std::size_t kMaxHeaderBytes = 1 << 16;
constexpr std::size_t kMaxRank = 64;

struct Descr {
  std::string_view name;
  std::uint64_t bytes;
};
constexpr std::array<Descr, 9> kDescrs = {{{"<f8", 8},
                                           {"<f4", 4},
                                           {"<f2", 2},
                                           {"<i8", 8},
                                           {"<i4", 4},
                                           {"<i2", 2},
                                           {"|i1", 1},
                                           {"|u1", 1},
                                           {"|b1", 1}}};

std::uint64_t expected_bytes(const NpyArray& array, const std::string& where) {
  const auto* found = std::find_if(kDescrs.begin(), kDescrs.end(),
                                   [&](const Descr& each) { return each.name == array.descr; });
  if (found == kDescrs.end())
    fail(where, ": expected an array of <f8, <f4, <f2, <i8, <i4, <i2, |i1, |u1 or |b1, got \"",
         shortened(array.descr), '"');
  std::uint64_t bytes = found->bytes;
  for (const std::int64_t size : array.shape)
    if (size < 0 || __builtin_mul_overflow(bytes, static_cast<std::uint64_t>(size), &bytes))
      fail(where, ": expected a shape of sizes >= 0 below 2^64 bytes, got ", to_text(array.shape));
  return bytes;
}

/// The dictionary of a header, read as NumPy writes it: keys in any order, each once.
class Header {
 public:
  Header(std::string_view text, const std::string& where) : text_(text), where_(where) {}

  NpyArray read() {
    NpyArray array;
    take("{");
    while (!starts("}")) {
      const std::string key = quoted();
      take(":");
      if (key == "descr" && !std::exchange(has_descr_, true)) {
        array.descr = quoted();
      } else if (key == "fortran_order" && !std::exchange(has_order_, true)) {
        take("False");
      } else if (key == "shape" && !std::exchange(has_shape_, true)) {
        array.shape = tuple();
      } else {
        fail_header();
      }
      if (!starts("}")) take(",");
    }
    take("}");
    skip_spaces();
    if (!text_.empty() || !has_descr_ || !has_order_ || !has_shape_) fail_header();
    return array;
  }

 private:
  [[noreturn]] void fail_header() const {
    fail(where_, ": expected the header {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }, got \"",
         shortened(std::string(whole_)), '"');
  }
  void skip_spaces() {
    while (!text_.empty() && (text_.front() == ' ' || text_.front() == '\n')) text_.remove_prefix(1);
  }
  bool starts(std::string_view token) {
    skip_spaces();
    return text_.starts_with(token);
  }
  void take(std::string_view token) {
    if (!starts(token)) fail_header();
    text_.remove_prefix(token.size());
  }
  std::string quoted() {
    take("'");
    const std::size_t end = text_.find('\'');
    if (end == std::string_view::npos) fail_header();
    std::string value(text_.substr(0, end));
    text_.remove_prefix(end + 1);
    return value;
  }
  std::int64_t integer() {
    skip_spaces();
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text_.data(), text_.data() + text_.size(), value);
    if (error != std::errc() || value < 0) fail_header();
    text_.remove_prefix(static_cast<std::size_t>(end - text_.data()));
    return value;
  }
  std::vector<std::int64_t> tuple() {
    std::vector<std::int64_t> sizes;
    take("(");
    while (!starts(")")) {
      if (sizes.size() == kMaxRank) fail_header();
      sizes.push_back(integer());
      if (!starts(")")) take(",");
    }
    take(")");
    return sizes;
  }

  std::string_view text_;
  std::string_view whole_ = text_;
  const std::string& where_;
  bool has_descr_ = false, has_order_ = false, has_shape_ = false;
};

std::string header_text(const NpyArray& array) {
  std::string shape;
  for (const std::int64_t size : array.shape) shape += (shape.empty() ? "" : ", ") + std::to_string(size);
  if (array.shape.size() == 1) shape += ",";
  std::string text = "{'descr': '" + array.descr + "', 'fortran_order': False, 'shape': (" + shape + "), }";
  if (!array.shape.empty()) text.append(kGrowthDigits - std::to_string(array.shape[0]).size(), ' ');
  return text;
}

}  // namespace

std::string npy_bytes(const NpyArray& array, const std::string& where) {
  if (const std::uint64_t bytes = expected_bytes(array, where); bytes != array.bytes.size())
    fail(where, ": expected ", bytes, " bytes for ", array.descr, ' ', to_text(array.shape), ", got ",
         array.bytes.size());
  std::string header = header_text(array);
  const std::size_t fixed = kMagic.size() + 4;
  const std::size_t whole = (fixed + header.size() + 1 + kAlignment - 1) / kAlignment * kAlignment;
  header.append(whole - fixed - header.size() - 1, ' ').push_back('\n');
  if (header.size() > std::numeric_limits<std::uint16_t>::max())
    fail(where, ": expected a shape of at most ", kMaxRank, " sizes, got ", array.shape.size());
  std::string bytes(kMagic);
  bytes += {'\1', '\0', static_cast<char>(header.size() & 0xFF), static_cast<char>(header.size() >> 8)};
  bytes += header;
  return bytes.append(reinterpret_cast<const char*>(array.bytes.data()), array.bytes.size());
}

NpyArray parse_npy(std::string_view bytes, const std::string& where) {
  const auto byte = [&](std::size_t i) {
    return static_cast<std::size_t>(static_cast<unsigned char>(bytes[i]));
  };
  const std::size_t begin = kMagic.size() + 2;
  if (bytes.size() < begin + 2 || !bytes.starts_with(kMagic) || byte(6) < 1 || byte(6) > 3)
    fail(where, ": expected an npy array of version 1 to 3, got something else");
  // Version 1 has a length of two bytes, the others of four.
  const std::size_t length_bytes = byte(6) == 1 ? 2 : 4;
  if (bytes.size() < begin + length_bytes) fail(where, ": expected a whole npy header, got its beginning");
  std::size_t length = 0;
  for (std::size_t i = 0; i < length_bytes; ++i) length |= byte(begin + i) << (8 * i);
  const std::size_t data = begin + length_bytes;
  if (length > std::min(kMaxHeaderBytes, bytes.size() - data))
    fail(where, ": expected an npy header of at most ", std::min(kMaxHeaderBytes, bytes.size() - data),
         " bytes, got ", length);
  NpyArray array = Header(bytes.substr(data, length), where).read();
  bytes.remove_prefix(data + length);
  if (const std::uint64_t expected = expected_bytes(array, where); expected != bytes.size())
    fail(where, ": expected ", expected, " bytes for ", array.descr, ' ', to_text(array.shape), ", got ",
         bytes.size());
  array.bytes.assign(bytes.begin(), bytes.end());
  return array;
}

}  // namespace samebits::io
