// A 2-D convolution on codes, whole: gemm_int8 with the patches of a block of pixels, packed just before they
// are multiplied, as its right-hand matrix, so that lanes run along pixels and the result is NCHW without a
// transposition; depthwise ones have a kernel of their own. Padding is the zero point. A 1-D convolution is
// one of height 1: height and kernel_height 1, the other *_height at their defaults.
#pragma once

#include <cstdint>

#include "kernels/common/affine.h"
#include "kernels/matmul/gemm_int8.h"
#include "kernels/matmul/linear.h"

namespace samebits::kernels {

/// Sizes of one call. Output sizes follow torch's formula (out_height()) and are at least 1.
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

/// What becomes of a sum, and where it goes: fields as in GemmEpilogue.
struct Conv2dOutput {
  GemmOutput type = GemmOutput::kFloat;  // kFloat or kCodes
  void* data;                            // float or int8 [images][out_channels][out_height()][out_width()]
  bool relu = false;
  AffineGrid grid{};  // kCodes
};

/// How many work items a batch has; threads share a call by ranges of them. An item is 64 pixels of all
/// channels of an image, or one output channel of an image when the convolution is depthwise; images follow
/// one another.
std::int64_t conv2d_work_items(const Conv2dShape& shape, std::int64_t images);

/// Work items [begin, end) of the convolution of x_codes[image][in_channel][row][column], which lie within
/// [x_grid.qmin, x_grid.qmax] and [-128, 127]. `weights` is [out_channels][depth()] without groups along
/// depth, in WeightOrder::kRows. Every cut into items gives the same bits. Whole images are
/// the fastest. Returns whether a value was NaN, for kCodes only: its code is the grid's zero point.
/// Allocates the patches of a block (512 KB, or 64 pixels), the codes that they read, and a byte for each
/// pixel and place of the kernel.
bool conv2d(const PackedWeight& weights, const LayerTerms& terms, const Conv2dShape& shape,
            const AffineGrid& x_grid, const std::int8_t* x_codes, const Conv2dOutput& output,
            std::int64_t begin, std::int64_t end);

}  // namespace samebits::kernels
