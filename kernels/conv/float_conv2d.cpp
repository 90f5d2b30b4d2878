#include "kernels/conv/float_conv2d.h"

#include <algorithm>

#include "kernels/common/aligned_vector.h"
#include "kernels/matmul/float_gemm.h"

namespace samebits::kernels {
namespace {

constexpr std::int64_t kItemPixels = 64;

std::int64_t items_of_image(const Conv2dShape& shape) {
  return (shape.out_height() * shape.out_width() + kItemPixels - 1) / kItemPixels;
}

/// What one place of the kernel reads of one channel for pixels [begin, end) of the output, packed as a line
/// of b.
void pack_tap(const Conv2dShape& shape, const float* channel, std::int64_t row_offset,
              std::int64_t column_offset, std::int64_t begin, std::int64_t end, std::int64_t depth,
              float* packed) {
  const std::int64_t out_width = shape.out_width();
  std::int64_t out_row = begin / out_width, out_column = begin % out_width;
  for (std::int64_t pixel = begin; pixel < begin + padded_columns(end - begin); ++pixel) {
    const std::int64_t row = out_row * shape.stride_height + row_offset;
    const std::int64_t column = out_column * shape.stride_width + column_offset;
    const bool is_inside =
        pixel < end && row >= 0 && row < shape.height && column >= 0 && column < shape.width;
    const std::int64_t place = pixel - begin;
    packed[place / kColumnBlock * kColumnBlock * depth + place % kColumnBlock] =
        is_inside ? channel[row * shape.width + column] : 0.0f;
    if (++out_column == out_width) {
      out_column = 0;
      ++out_row;
    }
  }
}

/// Patches of the input channels from `channel` on, which belong to one group.
void pack_group(const Conv2dShape& shape, const float* image, std::int64_t channel, std::int64_t begin,
                std::int64_t end, float* packed) {
  const std::int64_t depth = shape.depth();
  std::int64_t tap = 0;
  for (std::int64_t c = 0; c < shape.in_channels / shape.groups; ++c)
    for (std::int64_t i = 0; i < shape.kernel_height; ++i)
      for (std::int64_t j = 0; j < shape.kernel_width; ++j, ++tap)
        pack_tap(shape, image + (channel + c) * shape.height * shape.width,
                 i * shape.dilation_height - shape.padding_height,
                 j * shape.dilation_width - shape.padding_width, begin, end, depth,
                 packed + tap * kColumnBlock);
}

}  // namespace

std::int64_t float_conv2d_work_items(const Conv2dShape& shape, std::int64_t images) {
  return images * items_of_image(shape);
}

void float_conv2d(const FloatConv2dArgs& args, const Conv2dShape& shape, std::int64_t begin,
                  std::int64_t end) {
  const std::int64_t items = items_of_image(shape), pixels = shape.out_height() * shape.out_width();
  const std::int64_t depth = shape.depth(), channels = shape.out_channels / shape.groups;
  AlignedVector<float> packed(static_cast<std::size_t>(packed_float_size(kItemPixels, depth)));
  for (std::int64_t item = begin; item < end; ++item) {
    const std::int64_t image = item / items, first = item % items * kItemPixels;
    const std::int64_t last = std::min(first + kItemPixels, pixels);
    const float* const x = args.x + image * shape.in_channels * shape.height * shape.width;
    for (std::int64_t group = 0; group < shape.groups; ++group) {
      const std::int64_t channel = group * channels;
      pack_group(shape, x, group * (shape.in_channels / shape.groups), first, last, packed.data());
      const FloatGemmArgs gemm{
          .a = args.weight + channel * depth,
          .a_stride = depth,
          .b = packed.data(),
          .n = last - first,
          .k = depth,
          .bias = args.bias == nullptr ? nullptr : args.bias + channel,
          .channels_are_rows = true,
          .y = args.y + (image * shape.out_channels + channel) * pixels + first,
          .y_stride = pixels,
          .channel_scale = args.channel_scale == nullptr ? nullptr : args.channel_scale + channel};
      float_gemm(gemm, {0, channels, 0, last - first});
    }
  }
}

}  // namespace samebits::kernels
