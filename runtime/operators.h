// The ops without codes, on plain floats: each gives the bits of LibTorch's CPU kernel of the same name,
// which the training forward runs. Every function computes a range, so that threads can share the work.
#pragma once

#include <cstdint>

#include "graph/graph.h"

namespace samebits::runtime {

/// y[i] = 0 where x[i] < 0, else x[i] for i in [begin, end): NaN and -0 stay. y may be x.
void relu(const float* x, float* y, std::int64_t begin, std::int64_t end);

/// The same on codes: the code of the real 0 is their zero point. y may be x.
void relu_codes(const std::int8_t* x, std::int8_t* y, std::int32_t zero_point, std::int64_t begin,
                std::int64_t end);

/// y[i] = a[i] + b[i] for i in [begin, end). y may be a or b.
void add(const float* a, const float* b, float* y, std::int64_t begin, std::int64_t end);

/// Sizes of one plane, which is one channel of one image, before and after a pool.
struct PoolShape {
  std::int64_t height, width, out_height, out_width;
};

/// The largest element under each window for planes [begin, end), row-major. Padding is -inf; a NaN wins; of
/// equal zeros the first.
void max_pool2d(const float* x, float* y, const PoolShape& shape, const Window& window, std::int64_t begin,
                std::int64_t end);

/// The same on codes, whose order is that of the reals: padding is `lowest`, the smallest code of their grid.
void max_pool2d_codes(const std::int8_t* x, std::int8_t* y, const PoolShape& shape, const Window& window,
                      std::int32_t lowest, std::int64_t begin, std::int64_t end);

/// The mean under each window for planes [begin, end): elements added row by row in float, then divided by
/// the size of the window. Padding counts as zeros. dilation and ceil_mode are not read.
void avg_pool2d(const float* x, float* y, const PoolShape& shape, const Window& window, std::int64_t begin,
                std::int64_t end);

}  // namespace samebits::runtime
