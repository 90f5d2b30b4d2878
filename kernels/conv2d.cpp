#include "kernels/conv2d.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "kernels/epilogue.h"
#include "kernels/gemm_int8.h"

namespace samebits::kernels {
namespace {

/// The channels of one group of one image as 16-bit codes, with a border of zero points: no tap leaves it.
void pad_channels(const Conv2dShape& shape, const std::int8_t* codes, std::int16_t zero_point,
                  std::vector<std::int16_t>& padded) {
  const std::int64_t channels = shape.in_channels / shape.groups;
  const std::int64_t padded_height = shape.height + 2 * shape.padding_height;
  const std::int64_t padded_width = shape.width + 2 * shape.padding_width;
  padded.assign(channels * padded_height * padded_width, zero_point);
  for (std::int64_t channel = 0; channel < channels; ++channel)
    for (std::int64_t row = 0; row < shape.height; ++row)
      std::copy_n(codes + (channel * shape.height + row) * shape.width, shape.width,
                  padded.data() + (channel * padded_height + row + shape.padding_height) * padded_width +
                      shape.padding_width);
}

/// What the taps of one convolution read for every output pixel, one tap at a time.
struct Patches {
  const Conv2dShape& shape;
  const std::vector<std::int16_t>& padded;
  std::int64_t rows = shape.out_height(), columns = shape.out_width();

  /// line[pixel] for tap k: an input channel and a place in the kernel.
  void read(std::int64_t k, std::int16_t* line) const {
    const std::int64_t padded_height = shape.height + 2 * shape.padding_height;
    const std::int64_t padded_width = shape.width + 2 * shape.padding_width;
    const std::int64_t kernel_size = shape.kernel_height * shape.kernel_width, place = k % kernel_size;
    const std::int64_t first_row =
        k / kernel_size * padded_height + place / shape.kernel_width * shape.dilation_height;
    const std::int16_t* from =
        padded.data() + first_row * padded_width + place % shape.kernel_width * shape.dilation_width;
    for (std::int64_t row = 0; row < rows; ++row, from += shape.stride_height * padded_width, line += columns) {
      if (shape.stride_width == 1) {
        std::copy_n(from, columns, line);
      } else {
        for (std::int64_t column = 0; column < columns; ++column) line[column] = from[column * shape.stride_width];
      }
    }
  }
};

/// Packs the patches of one image and one group as `b` of gemm_int8: pixels are its columns, taps its depth.
/// `lines` holds two lines of padded_columns(pixels), zero behind the last pixel.
void pack_patches(const Patches& patches, std::vector<std::int16_t>& lines, std::int16_t* packed) {
  const std::int64_t depth = patches.shape.depth(), pairs = padded_depth(depth) / 2;
  const std::int64_t width = padded_columns(patches.rows * patches.columns);
  lines.assign(2 * width, 0);
  std::int16_t* even = lines.data();
  std::int16_t* odd = even + width;
  for (std::int64_t pair = 0; pair < pairs; ++pair) {
    patches.read(2 * pair, even);
    if (2 * pair + 1 < depth) {
      patches.read(2 * pair + 1, odd);
    } else {
      std::fill_n(odd, width, std::int16_t{0});
    }
    for (std::int64_t block = 0; block < width / kColumnBlock; ++block) {
      std::int16_t* to = packed + (block * pairs + pair) * 2 * kColumnBlock;
      for (std::int64_t lane = 0; lane < kColumnBlock; ++lane) {
        to[2 * lane] = even[block * kColumnBlock + lane];
        to[2 * lane + 1] = odd[block * kColumnBlock + lane];
      }
    }
  }
}

}  // namespace

void conv2d(const PreparedWeights& weights, const LayerTerms& terms, const Conv2dShape& shape,
            const AffineGrid& x_grid, const std::int8_t* x_codes, float* y, std::int64_t begin,
            std::int64_t end) {
  const std::int64_t depth = shape.depth(), pixels = shape.out_height() * shape.out_width();
  const std::int64_t in_size = shape.in_channels * shape.height * shape.width;
  const std::int64_t group_in = shape.in_channels / shape.groups * shape.height * shape.width;
  const std::int64_t group_out = shape.out_channels / shape.groups;
  if (pixels == 0) return;
  std::vector<std::int16_t> packed(packed_size(pixels, depth)), padded, lines;
  std::vector<std::int32_t> accumulators(group_out * padded_columns(pixels));
  for (std::int64_t image = begin; image < end; ++image) {
    for (std::int64_t group = 0; group < shape.groups; ++group) {
      pad_channels(shape, x_codes + image * in_size + group * group_in,
                   static_cast<std::int16_t>(x_grid.zero_point), padded);
      pack_patches({shape, padded}, lines, packed.data());
      gemm_int8({.a = weights.centered.data() + group * group_out * depth,
                 .a_stride = depth,
                 .b = packed.data(),
                 .accumulators = accumulators.data(),
                 .n = pixels,
                 .k = depth,
                 .k_begin = 0,
                 .k_end = depth},
                0, group_out);
      for (std::int64_t c = 0; c < group_out; ++c) {
        const std::int64_t channel = group * group_out + c;
        const ChannelTerms channel_terms{terms.correction.data() + channel, terms.scale.data() + channel,
                                         terms.bias == nullptr ? nullptr : terms.bias + channel};
        epilogue_channel(accumulators.data() + c * padded_columns(pixels), channel_terms,
                         y + (image * shape.out_channels + channel) * pixels, pixels);
      }
    }
  }
}

}  // namespace samebits::kernels
