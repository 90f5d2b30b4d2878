#include "kernels/conv/cuda/conv2d.h"

#include "kernels/conv/cuda/arrange.cuh"
#include "kernels/conv/cuda/conv2d.cuh"
#include "kernels/conv/cuda/depthwise.cuh"

namespace samebits::kernels::cuda {
namespace {

template <int kWarpRows, bool kWideChannels>
const char* launch_tiles(const Conv2dCodes& args, const Conv2dShape& shape, std::int64_t images,
                         CUstream_st* stream) {
  const ConvSizes sizes = ConvSizes::of(shape);
  const std::int64_t down = (sizes.group_outputs() + 32 * kWarpRows - 1) / (32 * kWarpRows);
  const std::int64_t across = (images * sizes.pixels() + kConvPixels - 1) / kConvPixels;
  return launch(conv2d_codes<kWarpRows, kWideChannels>, blocks_for(down * across * sizes.groups, 1), stream,
                args, sizes, images, arranged_depth(shape));
}

/// The fewest rows that hold a group's channels, 128 at most.
template <bool kWideChannels>
const char* launch_rows(const Conv2dCodes& args, const Conv2dShape& shape, std::int64_t images,
                        CUstream_st* stream) {
  const std::int64_t channels = shape.out_channels / shape.groups;
  if (channels <= 32) return launch_tiles<1, kWideChannels>(args, shape, images, stream);
  if (channels <= 64) return launch_tiles<2, kWideChannels>(args, shape, images, stream);
  return launch_tiles<4, kWideChannels>(args, shape, images, stream);
}

}  // namespace

const char* launch_conv2d(const Conv2dCodes& args, const Conv2dShape& shape, std::int64_t images,
                          CUstream_st* stream) {
  if (images == 0 || shape.out_channels == 0) return nullptr;
  const bool is_wide = padded_channels(shape.in_channels / shape.groups) % 16 == 0;
  return is_wide ? launch_rows<true>(args, shape, images, stream)
                 : launch_rows<false>(args, shape, images, stream);
}

const char* launch_arrange_codes(const std::int8_t* codes, const Conv2dShape& shape, std::int64_t images,
                                 std::int8_t* x, CUstream_st* stream) {
  if (images == 0) return nullptr;
  const std::int64_t across = (arranged_pixel(shape) / 4 + kArrangedWords - 1) / kArrangedWords;
  const std::int64_t down = (images * shape.height * shape.width + kArrangedPixels - 1) / kArrangedPixels;
  return launch(arrange_codes, blocks_for(down * across, 1), stream, codes, ConvSizes::of(shape), images, x);
}

const char* launch_arrange_weight(const std::int8_t* codes, const Conv2dShape& shape, std::int8_t* weight,
                                  CUstream_st* stream) {
  const std::int64_t depth = arranged_depth(shape);
  if (shape.out_channels == 0) return nullptr;
  return launch(arrange_weight, blocks_for(shape.out_channels * depth / 4, kThreads), stream, codes,
                ConvSizes::of(shape), depth, weight);
}

const char* launch_conv2d_depthwise(const DepthwiseCodes& args, const Conv2dShape& shape, std::int64_t images,
                                    CUstream_st* stream) {
  if (images == 0) return nullptr;
  const ConvSizes sizes = ConvSizes::of(shape);
  return launch(conv2d_depthwise,
                blocks_for(images * sizes.out_channels * ((sizes.pixels() + 3) / 4), kThreads), stream, args,
                sizes, images);
}

}  // namespace samebits::kernels::cuda
