#include "training/readers/npy.h"

#include <cmath>
#include <cstring>
#include <optional>
#include <string_view>

#include "io/error.h"
#include "training/readers/data_error.h"
#include "training/readers/packed_file.h"
#include "training/report/text.h"

namespace samebits::training {
namespace {

constexpr char kSaveAgain[] = "save it with numpy.save";
constexpr std::int64_t kMaxElements = std::int64_t{1} << 32;

/// The dictionary of a header: three keys, in any order.
struct Header {
  std::optional<std::string> descr;
  std::optional<bool> is_fortran;
  std::optional<std::vector<std::int64_t>> shape;
  bool is_whole() const { return descr && is_fortran && shape; }
};

/// Reads the Python literal that numpy writes; nothing when it is another.
class HeaderReader {
 public:
  explicit HeaderReader(std::string_view text) : text_(text) {}

  std::optional<Header> read() {
    Header header;
    if (!take('{')) return {};
    while (!take('}')) {
      const auto key = quoted_text();
      if (!key || !take(':')) return {};
      if (*key == "descr") header.descr = descr();
      if (*key == "fortran_order") header.is_fortran = truth();
      if (*key == "shape") header.shape = sizes();
      if (!take(',') && !is_next('}')) return {};
    }
    return header.is_whole() ? std::optional(header) : std::nullopt;
  }

 private:
  bool is_next(char c) {
    const std::size_t begin = text_.find_first_not_of(" \n");
    text_.remove_prefix(std::min(begin, text_.size()));
    return text_.starts_with(c);
  }
  bool take(char c) {
    if (!is_next(c)) return false;
    text_.remove_prefix(1);
    return true;
  }
  bool take_word(std::string_view word) {
    is_next(' ');
    if (!text_.starts_with(word)) return false;
    text_.remove_prefix(word.size());
    return true;
  }
  std::optional<std::string> quoted_text() {
    const char quote = is_next('"') ? '"' : '\'';
    if (!take(quote)) return {};
    const std::size_t end = text_.find(quote);
    if (end == std::string_view::npos) return {};
    const std::string result(text_.substr(0, end));
    text_.remove_prefix(end + 1);
    return result;
  }
  /// Fields of a structured type are a list, which ends at its last bracket.
  std::optional<std::string> descr() {
    if (!is_next('[')) return quoted_text();
    const std::size_t end = text_.rfind(']');
    if (end == std::string_view::npos) return {};
    text_.remove_prefix(end + 1);
    return "a list of fields";
  }
  std::optional<bool> truth() {
    if (take_word("True")) return true;
    if (take_word("False")) return false;
    return {};
  }
  std::optional<std::vector<std::int64_t>> sizes() {
    std::vector<std::int64_t> result;
    if (!take('(')) return {};
    while (!take(')')) {
      is_next(' ');
      const std::size_t digits = std::min(text_.find_first_not_of("0123456789"), text_.size());
      if (digits == 0 || digits > 18) return {};
      result.push_back(std::stoll(std::string(text_.substr(0, digits))));
      text_.remove_prefix(digits);
      if (!take(',') && !is_next(')')) return {};
    }
    return result;
  }

  std::string_view text_;
};

/// Bytes of an element; 0 for what is not read.
std::int64_t element_bytes(const std::string& dtype) {
  for (const char* known : {"|u1", "|i1", "|b1", "<i2", "<i4", "<i8", "<f4", "<f8"})
    if (dtype == known) return dtype[2] - '0';
  return 0;
}

/// The header's text, taken off `text`.
std::string_view take_header(std::string_view& text, const std::string& where) {
  constexpr std::string_view kMagic("\x93NUMPY", 6);
  if (!text.starts_with(kMagic))
    fail_data(where, "the magic \\x93NUMPY of an npy file", text.empty() ? "an empty file" : "something else",
              kSaveAgain);
  const auto byte = [&](std::size_t i) { return i < text.size() ? static_cast<std::uint8_t>(text[i]) : 0u; };
  const unsigned version = byte(6);
  if (text.size() >= 8 && (version < 1 || version > 3 || byte(7) != 0))
    fail_data(where, "version 1.0, 2.0 or 3.0 of the npy format",
              std::to_string(version) + "." + std::to_string(byte(7)), kSaveAgain);
  const std::size_t prefix = version == 1 ? 10 : 12;
  const std::size_t size =
      version == 1 ? byte(8) | byte(9) << 8 : byte(8) | byte(9) << 8 | byte(10) << 16 | byte(11) << 24;
  if (text.size() < prefix || text.size() - prefix < size)
    fail_data(where, "a whole npy header", "the end of the file at byte " + std::to_string(text.size()),
              "the file is truncated; copy it again");
  const std::string_view header = text.substr(prefix, size);
  text.remove_prefix(prefix + size);
  return header;
}

/// Elements of a shape, which must be in 1..kMaxElements.
std::int64_t element_count(const std::vector<std::int64_t>& shape, const std::string& where) {
  std::int64_t count = 1;
  for (const std::int64_t size : shape) {
    if (size < 1 || size > kMaxElements / count)
      fail_data(where, "1 to 4294967296 elements", "the shape " + io::to_text(shape),
                "is it the right file?");
    count *= size;
  }
  if (shape.empty()) fail_data(where, "an array of examples", "a single number", "is it the right file?");
  return count;
}

template <class From, class To>
std::vector<To> converted(const std::vector<std::uint8_t>& bytes) {
  std::vector<To> result(bytes.size() / sizeof(From));
  for (std::size_t i = 0; i < result.size(); ++i) {
    From value;
    std::memcpy(&value, bytes.data() + i * sizeof(From), sizeof(From));
    result[i] = static_cast<To>(value);
  }
  return result;
}

template <class To>
std::vector<To> elements(const NpyArray& array) {
  if (array.dtype == "<f4") return converted<float, To>(array.bytes);
  if (array.dtype == "<f8") return converted<double, To>(array.bytes);
  if (array.dtype == "|i1") return converted<std::int8_t, To>(array.bytes);
  if (array.dtype == "<i2") return converted<std::int16_t, To>(array.bytes);
  if (array.dtype == "<i4") return converted<std::int32_t, To>(array.bytes);
  if (array.dtype == "<i8") return converted<std::int64_t, To>(array.bytes);
  return converted<std::uint8_t, To>(array.bytes);
}

}  // namespace

NpyArray read_npy(const std::filesystem::path& path) {
  const std::string file = read_packed(path, "an npy file"), where = path.string();
  std::string_view text = file;
  const std::string_view header_text = take_header(text, where);
  const std::optional<Header> header = HeaderReader(header_text).read();
  if (!header)
    fail_data(where, "a header of descr, fortran_order and shape",
              "\"" + io::shortened(std::string(header_text)) + "\"", kSaveAgain);
  const std::int64_t size = element_bytes(*header->descr);
  if (size == 0)
    fail_data(where, "dtype |u1, |i1, |b1, <i2, <i4, <i8, <f4 or <f8", *header->descr,
              "convert it with astype");
  if (*header->is_fortran)
    fail_data(where, "row-major order", "fortran_order: True", "save numpy.ascontiguousarray of it");
  const std::int64_t bytes = element_count(*header->shape, where) * size;
  if (static_cast<std::int64_t>(text.size()) != bytes)
    fail_data(
        where,
        std::to_string(bytes) + " bytes of " + io::to_text(*header->shape) + " elements of " + *header->descr,
        std::to_string(text.size()), "the file is damaged; copy it again");
  return {*header->descr, *header->shape, {text.begin(), text.end()}};
}

std::vector<float> npy_reals(const NpyArray& array, const std::filesystem::path& path) {
  std::vector<float> result = elements<float>(array);
  for (std::size_t i = 0; i < result.size(); ++i)
    if (!std::isfinite(result[i]))
      fail_data(path.string(), "finite numbers that float32 can hold",
                formatted("%g", static_cast<double>(result[i])) + " at element " + std::to_string(i),
                "replace or remove it");
  return result;
}

std::vector<std::int64_t> npy_integers(const NpyArray& array) {
  return elements<std::int64_t>(array);
}

}  // namespace samebits::training
