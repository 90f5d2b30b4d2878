// Convolutions for the tests of the CUDA kernels: every stride, padding, dilation and group, few and many
// channels, more pixels than a tile.
#pragma once

#include "kernels/conv/conv2d.h"
#include "tests/oracle.h"

namespace samebits::kernels::cuda {

struct ConvCase {
  const char* why;
  Conv2dShape shape;
};

inline constexpr ConvCase kConvCases[] = {
    {"one pixel", {1, 1, 1, 1, 1, 1}},
    {"1 x 1", {5, 7, 7, 6, 1, 1}},
    {"a kernel as large as the image", {2, 5, 5, 3, 5, 5}},
    {"3 x 3 that keeps the size", {3, 8, 8, 4, 3, 3, 1, 1, 1, 1}},
    {"stride", {3, 9, 9, 4, 3, 3, 2, 2, 1, 1}},
    {"a stride longer than the kernel", {2, 11, 11, 3, 2, 2, 4, 4}},
    {"dilation", {2, 11, 11, 3, 3, 3, 1, 1, 2, 2, 2, 2}},
    {"taps that see padding only", {1, 2, 2, 2, 3, 3, 1, 1, 3, 3}},
    {"outputs that see padding only", {1, 3, 3, 2, 2, 2, 1, 1, 4, 4}},
    {"axes that differ", {3, 5, 13, 4, 2, 5, 1, 3, 0, 2, 2, 1}},
    {"one row", {2, 1, 19, 3, 1, 4, 1, 2, 0, 3, 1, 2}},
    {"one column", {2, 19, 1, 3, 4, 1, 2, 1, 3, 0, 2, 1}},
    {"groups", {6, 6, 6, 4, 3, 3, 1, 1, 1, 1, 1, 1, 2}},
    {"groups of one channel each with many outputs", {3, 8, 8, 27, 3, 3, 1, 1, 1, 1, 1, 1, 3}},
    {"as many channels as a load holds", {16, 6, 6, 33, 3, 3, 1, 1, 1, 1}},
    {"one channel more", {17, 7, 5, 64, 2, 2, 1, 1, 1, 0}},
    {"more channels and outputs than a tile", {70, 6, 7, 130, 3, 3, 2, 1, 1, 1}},
    {"groups of wide channels", {40, 5, 5, 10, 3, 3, 1, 1, 1, 1, 1, 1, 2}},
    {"more pixels than a tile", {4, 14, 19, 36, 3, 3, 1, 1, 1, 1}},
};

/// An output sees one input channel.
inline constexpr ConvCase kDepthwiseCases[] = {
    {"3 x 3", {5, 7, 7, 5, 3, 3, 1, 1, 1, 1, 1, 1, 5}},
    {"two outputs a channel, stride", {3, 8, 8, 6, 3, 3, 2, 2, 1, 1, 1, 1, 3}},
    {"stride and dilation", {3, 17, 17, 3, 3, 3, 4, 4, 3, 3, 2, 2, 3}},
    {"axes that differ", {2, 9, 83, 2, 3, 4, 2, 1, 1, 2, 1, 1, 2}},
    {"one row", {3, 1, 70, 3, 1, 4, 1, 1, 0, 3, 1, 1, 3}},
    {"one channel", {1, 5, 6, 1, 2, 2, 1, 1, 0, 0, 1, 1, 1}},
};

inline oracle::Conv2d to_oracle(const Conv2dShape& s) {
  return {s.in_channels,     s.height,         s.width,        s.out_channels,   s.kernel_height,
          s.kernel_width,    s.stride_height,  s.stride_width, s.padding_height, s.padding_width,
          s.dilation_height, s.dilation_width, s.groups};
}

}  // namespace samebits::kernels::cuda
