// kernels/formats/mx.h on CUDA: a lane an element, a warp a block of 32 after another, as many as end at a
// byte of the mask.
#pragma once

#include "kernels/common/cuda/quads.cuh"
#include "kernels/formats/mx.h"

namespace samebits::kernels::cuda {

/// Calls body(unit) for units [0, count), a warp each, all its lanes together. Launch with any number of
/// blocks.
template <class Body>
__device__ void for_each_warp(std::int64_t count, Body body) {
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * (blockDim.x / 32);
  std::int64_t unit = static_cast<std::int64_t>(blockIdx.x) * (blockDim.x / 32) + threadIdx.x / 32;
  for (; unit < count; unit += stride) body(unit);
}

/// The bits of a warp's elements on their way to a mask; every lane holds the same.
struct MaskBits {
  std::uint8_t* next;  // the byte that `bits` begin
  std::uint64_t bits = 0;
  int count = 0;  // below 8 between calls

  /// Adds the low `added` of 32 bits, and writes the bytes that are whole.
  __device__ void append(unsigned more, int added) {
    const int lane = static_cast<int>(threadIdx.x) % 32;
    bits |= static_cast<std::uint64_t>(more) << count;
    const int bytes = (count + added) / 8;
    if (lane < bytes) next[lane] = static_cast<std::uint8_t>(bits >> (8 * lane));
    next += bytes;
    bits >>= 8 * bytes;
    count = (count + added) % 8;
  }
  __device__ void finish() const {
    if (count > 0 && threadIdx.x % 32 == 0) *next = static_cast<std::uint8_t>(bits);
  }
};

/// The largest of what the lanes of a warp hold.
__device__ inline std::uint32_t largest_of_lanes(std::uint32_t value) {
  for (int apart = 16; apart > 0; apart /= 2) {
    const std::uint32_t other = __shfl_xor_sync(kAllLanes, value, apart);
    value = value < other ? other : value;
  }
  return value;
}

/// One block by one warp. Returns the bits of its elements that saturated.
template <class Stored>
__device__ unsigned quantize_mx_block(const MxArgs& args, const MxFormat& format, std::int64_t block,
                                      std::int64_t begin, int count, int* saw_nan) {
  const int lane = static_cast<int>(threadIdx.x) % 32;
  const bool is_element = lane < count;
  const float x = is_element ? to_float(static_cast<const Stored*>(args.x)[begin + lane]) : 0.0f;
  const std::uint8_t scale_code = mx_scale_code(largest_of_lanes(float_bits(x) & 0x7FFFFFFFu), format);
  const MxCode element = scale_code == kMxNaNScale ? MxCode{0, true} : encode_mx(x, scale_code, format);
  if (is_element && args.codes != nullptr) args.codes[begin + lane] = element.code;
  if (is_element && args.y != nullptr)
    static_cast<Stored*>(args.y)[begin + lane] =
        round_to<Stored>(decode_mx(element.code, scale_code, format));
  if (lane == 0 && args.scales != nullptr) args.scales[block] = scale_code;
  if (lane == 0 && scale_code == kMxNaNScale) atomicOr(saw_nan, 1);
  return __ballot_sync(kAllLanes, is_element && element.clipped ? 1 : 0);
}

/// Blocks [0, blocks) of `rows`, args.type being Stored; `block_step` is that of MxRows. `saw_nan` is set by
/// the first NaN and never cleared.
template <class Stored>
__global__ void __launch_bounds__(kThreads)
    fake_quantize_mx(MxArgs args, MxFormat format, MxRows rows, std::int64_t block_step, std::int64_t blocks,
                     int* saw_nan) {
  for_each_warp((blocks + block_step - 1) / block_step, [&](std::int64_t unit) {
    const std::int64_t first = unit * block_step,
                       last = first + block_step < blocks ? first + block_step : blocks;
    MaskBits mask{args.clip_mask + rows.first_element(first) / 8};
    for (std::int64_t block = first; block < last; ++block) {
      const std::int64_t begin = rows.first_element(block);
      const int count = static_cast<int>(rows.last_element(block) - begin);
      const unsigned clipped = quantize_mx_block<Stored>(args, format, block, begin, count, saw_nan);
      if (args.clip_mask != nullptr) mask.append(clipped, count);
    }
    if (args.clip_mask != nullptr) mask.finish();
  });
}

/// y of codes and scales. Launch with any number of blocks.
__global__ void __launch_bounds__(kThreads)
    decode_mx_blocks(const std::uint8_t* codes, const std::uint8_t* scales, float* y, MxFormat format,
                     MxRows rows, std::int64_t blocks) {
  for_each_warp(blocks, [&](std::int64_t block) {
    const std::int64_t i = rows.first_element(block) + threadIdx.x % 32;
    if (i < rows.last_element(block)) y[i] = decode_mx(codes[i], scales[block], format);
  });
}

}  // namespace samebits::kernels::cuda
