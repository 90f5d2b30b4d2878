// Elements at places that another array holds.
#pragma once

#include <cstdint>

namespace samebits::kernels {

/// The first i of [begin, end) for which index[i] is not in [0, size); end when there is none.
std::int64_t first_outside(const std::int64_t* index, std::int64_t size, std::int64_t begin,
                           std::int64_t end);

struct Gather {
  const void* x;
  const std::int64_t* index;   // of the shape of y; each within the size of x along the axis
  void* y;                     // not x
  std::int64_t element_bytes;  // 1, 4 or 8
  std::int64_t rank, axis;
  const std::int64_t *x_sizes, *y_sizes;
};

/// y[i, j, …] = x[i, index[i, j, …], …], the index in the place of the axis: elements [begin, end) of y.
void gather(const Gather& args, std::int64_t begin, std::int64_t end);

}  // namespace samebits::kernels
