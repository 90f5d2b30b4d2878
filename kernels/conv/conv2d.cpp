#include "kernels/conv/conv2d.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

#include "kernels/common/aligned_vector.h"
#include "kernels/conv/conv2d_parts.h"
#include "kernels/conv/patches.h"
#include "kernels/matmul/gemm_int8.h"

namespace samebits::kernels {
namespace {

constexpr std::int64_t kItemPixels = 64;
/// Packed patches that stay in the second-level cache, beside weights and outputs, until they are multiplied.
constexpr std::int64_t kPatchBytes = 512 * 1024;

std::int64_t items_of_image(const Conv2dShape& shape) {
  return (shape.out_height() * shape.out_width() + kItemPixels - 1) / kItemPixels;
}

/// Work items packed and multiplied at a time: as many as fit, but about equally many for all blocks of an
/// image.
std::int64_t items_of_block(const Conv2dShape& shape) {
  const std::int64_t items = items_of_image(shape);
  const std::int64_t item_bytes = kItemPixels * padded_depth(shape.depth());
  const std::int64_t fitting = std::max<std::int64_t>(kPatchBytes / item_bytes, 1);
  const std::int64_t blocks = (items + fitting - 1) / fitting;
  return (items + blocks - 1) / blocks;
}

/// One block of pixels of one group of channels of one image.
bool multiply(const PackedWeight& weights, const LayerTerms& terms, const Conv2dShape& shape,
              const std::int8_t* packed, const Conv2dOutput& output, std::int64_t image, std::int64_t group,
              const PixelBlock& block) {
  const std::int64_t pixels = shape.out_height() * shape.out_width(), depth = shape.depth();
  const std::int64_t channels = shape.out_channels / shape.groups, channel = group * channels;
  const std::int64_t plane = image * shape.out_channels + channel;
  const std::int64_t element_size = output.type == GemmOutput::kCodes ? sizeof(std::int8_t) : sizeof(float);
  // gemm_int8 addresses by the columns of the whole image. It reads none before block.begin: their place need
  // not exist.
  const auto first_packed = reinterpret_cast<std::uintptr_t>(packed) - block.begin * padded_depth(depth);
  const GemmInt8Args args{.a = weights.codes.data() + channel * depth,
                          .a_stride = depth,
                          .b = reinterpret_cast<const std::int8_t*>(first_packed),
                          .n = pixels,
                          .k = depth,
                          .output = static_cast<std::byte*>(output.data) + plane * pixels * element_size,
                          .output_stride = pixels,
                          .epilogue = {.output = output.type,
                                       .terms = channel_terms(terms, channel),
                                       .channels_are_rows = true,
                                       .relu = output.relu,
                                       .grid = output.grid}};
  return gemm_int8(args, {0, channels, block.begin, block.end});
}

}  // namespace

std::int64_t conv2d_work_items(const Conv2dShape& shape, std::int64_t images) {
  return images * (is_depthwise(shape) ? shape.out_channels : items_of_image(shape));
}

bool conv2d(const PackedWeight& weights, const LayerTerms& terms, const Conv2dShape& shape,
            const AffineGrid& x_grid, const std::int8_t* x_codes, const Conv2dOutput& output,
            std::int64_t begin, std::int64_t end) {
  if (begin >= end) return false;
  if (is_depthwise(shape))
    return conv2d_depthwise(weights, terms, shape, x_grid, x_codes, output, begin, end);
  const std::int64_t image_items = items_of_image(shape), pixels = shape.out_height() * shape.out_width();
  const std::int64_t block_items = std::min(items_of_block(shape), end - begin);
  const std::int64_t first_image = begin / image_items, last_image = (end - 1) / image_items;
  const std::int64_t image_size = shape.in_channels * shape.height * shape.width;
  Patches patches(shape, static_cast<std::int8_t>(x_grid.zero_point), block_items * kItemPixels);
  AlignedVector<std::int8_t> packed(packed_size(block_items * kItemPixels, shape.depth()));
  std::memset(packed.data(), 0, packed.size());  // the padding of the depth stays 0
  bool saw_nan = false;
  for (std::int64_t item = begin; item < end;) {
    const std::int64_t image = item / image_items, first = item % image_items;
    const std::int64_t items = std::min({block_items, end - item, image_items - first});
    const PixelBlock block{first * kItemPixels, std::min((first + items) * kItemPixels, pixels)};
    patches.load(x_codes + image * image_size, first_image < image && image < last_image, block);
    for (std::int64_t group = 0; group < shape.groups; ++group) {
      patches.pack(group, packed.data());
      saw_nan |= multiply(weights, terms, shape, packed.data(), output, image, group, block);
    }
    item += items;
  }
  return saw_nan;
}

}  // namespace samebits::kernels
