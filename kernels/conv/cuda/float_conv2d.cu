#include "kernels/conv/cuda/float_conv2d.h"

#include "kernels/conv/cuda/float_conv2d.cuh"

namespace samebits::kernels::cuda {

const char* launch_float_conv2d(const FloatConv2dArgs& args, const Conv2dShape& shape, std::int64_t images,
                                CUstream_st* stream) {
  if (images == 0 || shape.out_channels == 0) return nullptr;
  const ConvSizes sizes = ConvSizes::of(shape);
  return launch(float_conv2d,
                blocks_for_float_tiles(sizes.group_outputs(), images * sizes.pixels(), sizes.groups), stream,
                args, sizes, images);
}

}  // namespace samebits::kernels::cuda
