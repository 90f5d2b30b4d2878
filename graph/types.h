// What a value of a graph is: a dtype and a shape, whose sizes may depend on the batch (and on a sequence's
// length).
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace samebits::graph {

enum class Dtype { kFloat32, kInt64, kBool };

/// In the order of Dtype.
constexpr const char* kDtypeNames[] = {"float32", "int64", "bool"};
/// "float32", "int64" or "bool".
const char* to_text(Dtype dtype);

/// What a call decides: how many items it has, and how long they are.
enum class Symbol : std::size_t { kBatch, kSequence };
constexpr std::size_t kSymbols = 2;
const char* to_text(Symbol symbol);

/// Sizes as numbers; a value that is there for every symbol.
using Sizes = std::vector<std::int64_t>;
using SymbolValues = std::array<std::int64_t, kSymbols>;

/// A size: factors · symbols + offset.
struct Dimension {
  std::int64_t offset = 0;
  std::array<std::int64_t, kSymbols> factors = {};

  Dimension() = default;
  Dimension(std::int64_t size) : offset(size) {}  // NOLINT: shapes are written {batch, 3, 8, 8}
  explicit Dimension(Symbol symbol) { factors[static_cast<std::size_t>(symbol)] = 1; }

  bool is_number() const { return factors == std::array<std::int64_t, kSymbols>{}; }
  /// The symbol that this is, alone and once; else kSymbols.
  std::size_t plain_symbol() const;
  std::int64_t at(const SymbolValues& values) const;
  friend bool operator==(const Dimension&, const Dimension&) = default;
  friend Dimension operator+(Dimension a, const Dimension& b);
  friend Dimension operator-(const Dimension& a, const Dimension& b) { return a + b * -1; }
  friend Dimension operator*(Dimension a, std::int64_t factor);
};

using Shape = std::vector<Dimension>;

inline const Dimension kBatch{Symbol::kBatch};
inline const Dimension kSequence{Symbol::kSequence};

Sizes sizes_at(const Shape& shape, const SymbolValues& values);

/// "8", "batch", "2*batch + 1", "batch + sequence - 2".
std::string to_text(const Dimension& dimension);
/// "[batch, 3, 8, 8]".
std::string to_text(const Shape& shape);

/// Reads what to_text() writes, with numbers below 2^31. False when `text` is anything else.
bool parse(std::string_view text, Dimension& dimension);

struct TensorType {
  Dtype dtype = Dtype::kFloat32;
  Shape shape;
  friend bool operator==(const TensorType&, const TensorType&) = default;
};

/// The types of an operator's inputs.
using Types = std::span<const TensorType>;

/// A constant of float32, row-major: the weight of a layer that is not quantized.
struct FloatTensor {
  Sizes shape;
  std::vector<float> values;
  friend bool operator==(const FloatTensor&, const FloatTensor&) = default;
};

/// A constant of any dtype, row-major; its values are in the vector of its dtype, and the others are empty.
struct ConstantTensor {
  Dtype dtype = Dtype::kFloat32;
  Sizes shape;
  std::vector<float> floats;
  std::vector<std::int64_t> integers;
  std::vector<std::uint8_t> flags;  // 0 or 1

  const void* data() const;
  /// How many values the vector of its dtype has.
  std::size_t count() const;
  friend bool operator==(const ConstantTensor&, const ConstantTensor&) = default;
};

/// Bytes of an element in memory.
constexpr std::int64_t element_bytes(Dtype dtype) {
  return dtype == Dtype::kFloat32 ? 4 : dtype == Dtype::kInt64 ? 8 : 1;
}

/// Whether the shapes have the same number of elements whatever the symbols are.
bool have_as_many_elements(const Shape& a, const Shape& b);

/// {height, width}.
using Pair = std::array<std::int64_t, 2>;

}  // namespace samebits::graph
