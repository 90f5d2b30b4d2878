// What goes into an interpreter and comes out.
#pragma once

#include <cstdint>
#include <vector>

#include "graph/types.h"

namespace samebits::runtime {

/// An array with its shape, row-major; its values are in the vector of its dtype, and the other two are
/// empty.
struct Array {
  std::vector<std::int64_t> shape;
  std::vector<float> values = {};
  graph::Dtype dtype = graph::Dtype::kFloat32;
  std::vector<std::int64_t> integers = {};  // kInt64
  std::vector<std::uint8_t> flags = {};     // kBool: 0 or 1

  /// How many values the vector of its dtype has.
  std::size_t count() const;
  void* data();
  const void* data() const { return const_cast<Array*>(this)->data(); }
  /// Makes that vector hold `n` values, and empties the others. Keeps their memory.
  void resize(std::size_t n);
  friend bool operator==(const Array&, const Array&) = default;
};

}  // namespace samebits::runtime
