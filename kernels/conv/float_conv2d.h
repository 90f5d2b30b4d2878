// A 2-D convolution of float32, whole: float_gemm with the patches of a block of pixels as its right-hand
// matrix, so that lanes run along pixels and the result is NCHW. Padding is the real 0 and multiplied like
// any other element (docs/numerics.md §12).
#pragma once

#include <cstdint>

#include "kernels/conv/conv2d.h"

namespace samebits::kernels {

/// The arrays of one call.
struct FloatConv2dArgs {
  const float* x;                        // [images][in_channels][height][width]
  const float* weight;                   // [out_channels][depth()]
  const float* bias;                     // [out_channels], or null
  float* y;                              // [images][out_channels][out_height()][out_width()]
  const float* channel_scale = nullptr;  // [out_channels], or null
};

/// How many work items a batch has; threads share a call by ranges of them. An item is 64 pixels of all
/// channels of an image; images follow one another.
std::int64_t float_conv2d_work_items(const Conv2dShape& shape, std::int64_t images);

/// Work items [begin, end). Every cut into items gives the same bits. Allocates the patches of one item.
void float_conv2d(const FloatConv2dArgs& args, const Conv2dShape& shape, std::int64_t begin,
                  std::int64_t end);

}  // namespace samebits::kernels
