// kernels/fake_quantize.h on CUDA. One thread makes one mask byte from 8 elements, so no two threads write the same
// byte and no barrier is needed. The formula is affine.h, compiled for the device with --fmad=false.
#pragma once

#include "kernels/affine.h"

namespace samebits::kernels::cuda {

/// The arrays of one call, on the device. `table_*` as in kernels/grid_table.h.
struct FakeQuantizeDeviceArgs {
  const float* x;
  float* y;                 // may be x
  std::uint8_t* clip_mask;  // ceil(n / 8) bytes
  const float* scale;
  const std::int32_t* zero_point;
  std::int32_t qmin, qmax;
  std::int64_t row_length, group_size, rows, groups_per_row;
};

/// The grid of element i.
__device__ inline AffineGrid grid_of(const FakeQuantizeDeviceArgs& args, std::int64_t i) {
  const std::int64_t row = i / args.row_length % args.rows, group = i % args.row_length / args.group_size;
  const std::int64_t index = row * args.groups_per_row + group;
  return {args.scale[index], args.zero_point[index], args.qmin, args.qmax};
}

/// Launch with any number of threads: they stride over the mask's bytes. `saw_nan` is set by the first NaN and never
/// cleared.
__global__ void fake_quantize(FakeQuantizeDeviceArgs args, std::int64_t n, int* saw_nan) {
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t byte = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; byte * 8 < n;
       byte += stride) {
    const std::int64_t begin = byte * 8, end = begin + 8 < n ? begin + 8 : n;
    unsigned mask_byte = 0;
    for (std::int64_t i = begin; i < end; ++i) {
      const AffineGrid grid = grid_of(args, i);
      const float position = grid_position(args.x[i], grid);
      mask_byte |= static_cast<unsigned>(is_clipped(position, grid)) << (i - begin);
      args.y[i] = dequantize(code_at(position, grid), grid);
      if (isnan(position)) atomicOr(saw_nan, 1);
    }
    args.clip_mask[byte] = static_cast<std::uint8_t>(mask_byte);
  }
}

/// grad_x[i] = 0 where the mask bit is 1, else grad_y[i].
__global__ void fake_quantize_backward(const float* grad_y, const std::uint8_t* clip_mask, float* grad_x,
                                       std::int64_t n) {
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  for (std::int64_t i = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x; i < n; i += stride)
    grad_x[i] = (clip_mask[i / 8] >> (i % 8) & 1) != 0 ? 0.0f : grad_y[i];
}

}  // namespace samebits::kernels::cuda
