// What goes into an interpreter and comes out.
#pragma once

#include <cstdint>
#include <vector>

namespace samebits::runtime {

/// A float array with its shape, row-major.
struct Array {
  std::vector<std::int64_t> shape;
  std::vector<float> values;
};

}  // namespace samebits::runtime
