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

/// {height, width}.
using Pair = std::array<std::int64_t, 2>;

}  // namespace samebits::graph
