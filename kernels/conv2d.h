// A 2-D convolution on codes, whole: each image's patches are packed as the right-hand matrix of gemm_int8, so
// that lanes run along pixels and the result is NCHW without a transposition. Padding is the zero point.
#pragma once

#include <cstdint>

#include "kernels/affine.h"
#include "kernels/linear.h"

namespace samebits::kernels {

/// Sizes of one call. Output sizes follow torch's formula (out_height()).
struct Conv2dShape {
  std::int64_t in_channels, height, width;
  std::int64_t out_channels, kernel_height, kernel_width;
  std::int64_t stride_height = 1, stride_width = 1;
  std::int64_t padding_height = 0, padding_width = 0;
  std::int64_t dilation_height = 1, dilation_width = 1;
  std::int64_t groups = 1;

  std::int64_t out_height() const {
    return (height + 2 * padding_height - dilation_height * (kernel_height - 1) - 1) / stride_height + 1;
  }
  std::int64_t out_width() const {
    return (width + 2 * padding_width - dilation_width * (kernel_width - 1) - 1) / stride_width + 1;
  }
  /// Products in one sum: what max_depth bounds.
  std::int64_t depth() const { return in_channels / groups * kernel_height * kernel_width; }
};

/// y[image][out_channel][row][column] for images [begin, end) of x_codes[image][in_channel][row][column].
/// `weights` is [out_channels][depth()] without groups along depth. Allocates the patches of one image.
void conv2d(const PreparedWeights& weights, const LayerTerms& terms, const Conv2dShape& shape,
            const AffineGrid& x_grid, const std::int8_t* x_codes, float* y, std::int64_t begin,
            std::int64_t end);

}  // namespace samebits::kernels
