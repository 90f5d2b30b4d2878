// What conv2d.cpp and conv2d_depthwise.cpp share.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernels/conv/conv2d.h"

namespace samebits::kernels {

struct Range {
  std::int64_t begin, end;
};

/// The outputs along one axis whose tap at place `place` of the kernel lies inside of the image. begin <=
/// end.
inline Range outputs_inside(std::int64_t size, std::int64_t outputs, std::int64_t stride,
                            std::int64_t padding, std::int64_t dilation, std::int64_t place) {
  const std::int64_t first_read = place * dilation - padding;  // of output 0
  const auto outputs_below = [&](std::int64_t position) {      // that read from before it
    return std::clamp<std::int64_t>((position - first_read + stride - 1) / stride, 0, outputs);
  };
  return {first_read < 0 ? outputs_below(0) : 0, first_read < size ? outputs_below(size) : 0};
}
inline Range rows_inside(const Conv2dShape& shape, std::int64_t kernel_row) {
  return outputs_inside(shape.height, shape.out_height(), shape.stride_height, shape.padding_height,
                        shape.dilation_height, kernel_row);
}
inline Range columns_inside(const Conv2dShape& shape, std::int64_t kernel_column) {
  return outputs_inside(shape.width, shape.out_width(), shape.stride_width, shape.padding_width,
                        shape.dilation_width, kernel_column);
}

/// The terms of one output channel.
inline ChannelTerms channel_terms(const LayerTerms& terms, std::int64_t channel) {
  return {terms.correction.data() + channel, terms.scale.data() + channel,
          terms.bias == nullptr ? nullptr : terms.bias + channel};
}

/// Whether conv2d takes depthwise_sums (kernels/conv/depthwise.h): an output sees one input channel, and few
/// outputs share it.
bool is_depthwise(const Conv2dShape& shape);

/// conv2d() for planes [begin, end), an output channel of an image each. Allocates one plane of 16-bit codes
/// and sums.
bool conv2d_depthwise(const PackedWeight& weights, const LayerTerms& terms, const Conv2dShape& shape,
                      const AffineGrid& x_grid, const std::int8_t* x_codes, const Conv2dOutput& output,
                      std::int64_t begin, std::int64_t end);

}  // namespace samebits::kernels
