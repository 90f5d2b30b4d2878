// Launchers of kernels/conv/conv2d.h on CUDA, for files that nvcc does not compile: y in float. Codes and
// weights are arranged so that the channels of a pixel, and of a place of the kernel, are neighbours; the
// order of an exact sum changes no bit.
#pragma once

#include <cstdint>

#include "kernels/conv/cuda/conv_sizes.h"
#include "kernels/matmul/epilogue.h"

struct CUstream_st;

namespace samebits::kernels::cuda {

/// The depth that a block stages at once; rows of a weight are padded to it.
constexpr std::int64_t kConvDepth = 64;

/// Bytes of the channels of one group at one place: a multiple of 4, of 16 where that costs little.
constexpr std::int64_t padded_channels(std::int64_t group_channels) {
  const std::int64_t unit = group_channels > 12 ? 16 : 4;
  return (group_channels + unit - 1) / unit * unit;
}
/// Bytes of an arranged row of the weight, and of a pixel of all groups.
inline std::int64_t arranged_depth(const Conv2dShape& shape) {
  const std::int64_t bytes =
      padded_channels(shape.in_channels / shape.groups) * shape.kernel_height * shape.kernel_width;
  return (bytes + kConvDepth - 1) / kConvDepth * kConvDepth;
}
inline std::int64_t arranged_pixel(const Conv2dShape& shape) {
  return padded_channels(shape.in_channels / shape.groups) * shape.groups;
}

/// One convolution. Pointers are the device's; the arranged arrays begin at multiples of 16 bytes.
struct Conv2dCodes {
  const std::int8_t* x;       // [images][height][width][arranged_pixel()], by arrange_codes
  const std::int8_t* weight;  // [out_channels][arranged_depth()], by arrange_weight: codes minus zero points
  const std::int32_t* x_zero_point;  // 1 value
  ChannelTerms terms;                // one entry an output channel
  float* y;                          // [images][out_channels][out_height][out_width]
};

/// The shape fits ConvSizes. The result is null or the launch's error text, as in
/// kernels/quantize/cuda/fake_quantize.h.
const char* launch_conv2d(const Conv2dCodes& args, const Conv2dShape& shape, std::int64_t images,
                          CUstream_st* stream);

/// codes [images][in_channels][height][width] to x of Conv2dCodes.
const char* launch_arrange_codes(const std::int8_t* codes, const Conv2dShape& shape, std::int64_t images,
                                 std::int8_t* x, CUstream_st* stream);

/// codes [out_channels][depth()] to weight of Conv2dCodes.
const char* launch_arrange_weight(const std::int8_t* codes, const Conv2dShape& shape, std::int8_t* weight,
                                  CUstream_st* stream);

/// The same y where each output sees one input channel: too few products for a matrix multiplication. Codes
/// and weight stand as they are.
struct DepthwiseCodes {
  const std::int8_t* x;              // [images][in_channels][height][width]
  const std::int8_t* weight;         // [out_channels][depth()]
  const std::int32_t* x_zero_point;  // 1 value
  ChannelTerms terms;
  float* y;
};
const char* launch_conv2d_depthwise(const DepthwiseCodes& args, const Conv2dShape& shape, std::int64_t images,
                                    CUstream_st* stream);

}  // namespace samebits::kernels::cuda
