#include "kernels/conv2d.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "kernels/gemm_int8.h"

namespace samebits::kernels {
namespace {

/// The channels of one group of one image, with a border of zero points: no tap leaves it.
void pad_channels(const Conv2dShape& shape, const std::int8_t* codes, std::int8_t zero_point,
                  std::vector<std::int8_t>& padded) {
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
  const std::vector<std::int8_t>& padded;
  std::int64_t rows = shape.out_height(), columns = shape.out_width();

  /// line[pixel] for tap k: an input channel and a place in the kernel.
  void read(std::int64_t k, std::int8_t* line) const {
    const std::int64_t padded_height = shape.height + 2 * shape.padding_height;
    const std::int64_t padded_width = shape.width + 2 * shape.padding_width;
    const std::int64_t kernel_size = shape.kernel_height * shape.kernel_width, place = k % kernel_size;
    const std::int64_t first_row =
        k / kernel_size * padded_height + place / shape.kernel_width * shape.dilation_height;
    const std::int8_t* from =
        padded.data() + first_row * padded_width + place % shape.kernel_width * shape.dilation_width;
    for (std::int64_t row = 0; row < rows;
         ++row, from += shape.stride_height * padded_width, line += columns) {
      if (shape.stride_width == 1) {
        std::copy_n(from, columns, line);
      } else {
        for (std::int64_t column = 0; column < columns; ++column)
          line[column] = from[column * shape.stride_width];
      }
    }
  }
};

/// Packs the patches of one image and one group as `b` of gemm_int8: pixels are its columns, taps its depth.
/// `line` holds padded_columns(pixels) codes, zero behind the last pixel.
void pack_patches(const Patches& patches, std::vector<std::int8_t>& line, std::int8_t* packed) {
  const std::int64_t depth = patches.shape.depth();
  const std::int64_t width = padded_columns(patches.rows * patches.columns);
  line.assign(width, 0);
  for (std::int64_t k = 0; k < padded_depth(depth); ++k) {
    if (k < depth) patches.read(k, line.data());
    if (k == depth) std::fill(line.begin(), line.end(), std::int8_t{0});
    for (std::int64_t block = 0; block < width; block += kColumnBlock) {
      std::int8_t* to = packed + packed_index(block, k, depth);
      for (std::int64_t lane = 0; lane < kColumnBlock; ++lane) to[4 * lane] = line[block + lane];
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
  AlignedVector<std::int8_t> packed(packed_size(pixels, depth));
  std::vector<std::int8_t> padded, line;
  for (std::int64_t image = begin; image < end; ++image) {
    for (std::int64_t group = 0; group < shape.groups; ++group) {
      pad_channels(shape, x_codes + image * in_size + group * group_in,
                   static_cast<std::int8_t>(x_grid.zero_point), padded);
      pack_patches({shape, padded}, line, packed.data());
      const std::int64_t channel = group * group_out;
      const ChannelTerms channel_terms{terms.correction.data() + channel, terms.scale.data() + channel,
                                       terms.bias == nullptr ? nullptr : terms.bias + channel};
      gemm_int8({.a = weights.centered.data() + channel * depth,
                 .a_stride = depth,
                 .b = packed.data(),
                 .n = pixels,
                 .k = depth,
                 .output = y + (image * shape.out_channels + channel) * pixels,
                 .output_stride = pixels,
                 .epilogue = {.terms = channel_terms, .channels_are_rows = true}},
                {0, group_out, 0, pixels});
    }
  }
}

}  // namespace samebits::kernels
