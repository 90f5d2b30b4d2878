#include "kernels/move/indexed_copy.h"

#include <cstring>

namespace samebits::kernels {
namespace {

/// What the last dimension's offsets are, looked at once.
enum class LastDimension { kRun, kOneUnit, kAny };

LastDimension kind_of(const std::int64_t* offsets, std::int64_t size) {
  bool is_run = offsets[0] >= 0, is_one = offsets[0] >= 0;
  for (std::int64_t i = 1; i < size && (is_run || is_one); ++i) {
    is_run = is_run && offsets[i] == offsets[0] + i;
    is_one = is_one && offsets[i] == offsets[0];
  }
  return is_run ? LastDimension::kRun : is_one ? LastDimension::kOneUnit : LastDimension::kAny;
}

template <class T>
T load(const void* from) {
  T value;
  std::memcpy(&value, from, sizeof(T));
  return value;
}

/// Units of one element, by its type.
template <class T>
void copy_row(const T* x, const std::int64_t* offsets, std::int64_t size, T fill, T* y, LastDimension kind) {
  if (kind == LastDimension::kRun) {
    std::memcpy(y, x + offsets[0], static_cast<std::size_t>(size) * sizeof(T));
  } else if (kind == LastDimension::kOneUnit) {
    const T value = x[offsets[0]];
    for (std::int64_t i = 0; i < size; ++i) y[i] = value;
  } else {
    for (std::int64_t i = 0; i < size; ++i) y[i] = offsets[i] < 0 ? fill : x[offsets[i]];
  }
}

/// Units of several elements.
class Units {
 public:
  explicit Units(const IndexedCopy& copy) : copy_(copy), bytes_(copy.run * copy.element_bytes) {}

  void fill(char* y, std::int64_t units) const {
    for (std::int64_t i = 0; i < units * copy_.run; ++i)
      std::memcpy(y + i * copy_.element_bytes, copy_.fill, static_cast<std::size_t>(copy_.element_bytes));
  }
  void copy_row(const char* x, const std::int64_t* offsets, std::int64_t size, char* y,
                LastDimension kind) const {
    if (kind == LastDimension::kRun) {
      std::memcpy(y, x + offsets[0] * bytes_, static_cast<std::size_t>(size * bytes_));
      return;
    }
    for (std::int64_t i = 0; i < size; ++i)
      offsets[i] < 0
          ? fill(y + i * bytes_, 1)
          : void(std::memcpy(y + i * bytes_, x + offsets[i] * bytes_, static_cast<std::size_t>(bytes_)));
  }
  std::int64_t bytes() const { return bytes_; }

 private:
  const IndexedCopy& copy_;
  std::int64_t bytes_;
};

/// The sum of the outer dimensions' offsets for a row; below 0 when one is outside.
std::int64_t base_of(const IndexedCopy& copy, std::int64_t row) {
  std::int64_t base = 0;
  bool is_outside = false;
  for (std::int64_t d = copy.rank - 2; d >= 0; --d) {
    const std::int64_t offset = copy.offsets[d][row % copy.sizes[d]];
    row /= copy.sizes[d];
    is_outside = is_outside || offset < 0;
    base += offset;
  }
  return is_outside ? -1 : base;
}

template <class T>
void copy_elements(const IndexedCopy& copy, std::int64_t size, const std::int64_t* offsets,
                   LastDimension kind, std::int64_t begin, std::int64_t end) {
  const auto* x = static_cast<const T*>(copy.x);
  auto* y = static_cast<T*>(copy.y);
  const T fill = copy.fill == nullptr ? T() : load<T>(copy.fill);
  for (std::int64_t row = begin; row < end; ++row) {
    const std::int64_t base = base_of(copy, row);
    if (base >= 0)
      copy_row(x + base, offsets, size, fill, y + row * size, kind);
    else
      for (std::int64_t i = 0; i < size; ++i) y[row * size + i] = fill;
  }
}

}  // namespace

void indexed_copy(const IndexedCopy& copy, std::int64_t begin, std::int64_t end) {
  constexpr std::int64_t kZero = 0;
  const std::int64_t size = copy.rank == 0 ? 1 : copy.sizes[copy.rank - 1];
  const std::int64_t* offsets = copy.rank == 0 ? &kZero : copy.offsets[copy.rank - 1];
  if (size == 0 || begin >= end) return;
  const LastDimension kind = kind_of(offsets, size);
  if (copy.run == 1 && copy.element_bytes == 1)
    return copy_elements<std::uint8_t>(copy, size, offsets, kind, begin, end);
  if (copy.run == 1 && copy.element_bytes == 4)
    return copy_elements<std::uint32_t>(copy, size, offsets, kind, begin, end);
  if (copy.run == 1 && copy.element_bytes == 8)
    return copy_elements<std::uint64_t>(copy, size, offsets, kind, begin, end);
  const Units units(copy);
  for (std::int64_t row = begin; row < end; ++row) {
    const std::int64_t base = base_of(copy, row);
    char* const y = static_cast<char*>(copy.y) + row * size * units.bytes();
    if (base >= 0)
      units.copy_row(static_cast<const char*>(copy.x) + base * units.bytes(), offsets, size, y, kind);
    else
      units.fill(y, size);
  }
}

void copy_rows(const void* x, std::int64_t x_stride, void* y, std::int64_t y_stride, std::int64_t bytes,
               std::int64_t begin, std::int64_t end) {
  for (std::int64_t row = begin; row < end; ++row)
    std::memcpy(static_cast<char*>(y) + row * y_stride, static_cast<const char*>(x) + row * x_stride,
                static_cast<std::size_t>(bytes));
}

}  // namespace samebits::kernels
