// A graph's convolution as kernels/conv/ takes it.
#pragma once

#include "graph/types.h"
#include "kernels/conv/conv2d.h"

namespace samebits::runtime {

/// Of a convolution C = {stride, padding, dilation, groups} of x with a weight of these sizes.
template <class C>
kernels::Conv2dShape conv_shape(const C& conv, const graph::Sizes& weight, const graph::Sizes& x) {
  return {.in_channels = x[1],
          .height = x[2],
          .width = x[3],
          .out_channels = weight[0],
          .kernel_height = weight[2],
          .kernel_width = weight[3],
          .stride_height = conv.stride[0],
          .stride_width = conv.stride[1],
          .padding_height = conv.padding[0],
          .padding_width = conv.padding[1],
          .dilation_height = conv.dilation[0],
          .dilation_width = conv.dilation[1],
          .groups = conv.groups};
}

/// Products of a whole call.
inline std::int64_t products_of(const kernels::Conv2dShape& shape, std::int64_t images) {
  return shape.out_height() * shape.out_width() * shape.out_channels * shape.depth() * images;
}

}  // namespace samebits::runtime
