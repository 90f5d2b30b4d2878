#include "kernels/cuda/fake_quantize.cuh"

#include <algorithm>

#include "kernels/cuda/fake_quantize.h"

namespace samebits::kernels::cuda {
namespace {

constexpr int kThreads = 256;

/// Enough blocks for one item a thread, and no more than keep a large GPU busy: threads stride.
unsigned blocks_for(std::int64_t items) {
  return static_cast<unsigned>(std::clamp<std::int64_t>((items + kThreads - 1) / kThreads, 1, 4096));
}

const char* launch_error() {
  const cudaError_t error = cudaGetLastError();
  return error == cudaSuccess ? nullptr : cudaGetErrorString(error);
}

}  // namespace

const char* launch_fake_quantize(const float* x, float* y, std::uint8_t* clip_mask, const GridTable& table,
                                 std::int64_t n, int* saw_nan, CUstream_st* stream) {
  const FakeQuantizeDeviceArgs args{x,          y,           clip_mask,        table.scale,      table.zero_point,
                                    table.qmin, table.qmax,  table.row_length, table.group_size, table.rows,
                                    table.groups_per_row()};
  if (n > 0) fake_quantize<<<blocks_for((n + 7) / 8), kThreads, 0, stream>>>(args, n, saw_nan);
  return launch_error();
}

const char* launch_fake_quantize_backward(const float* grad_y, const std::uint8_t* clip_mask, float* grad_x,
                                          std::int64_t n, CUstream_st* stream) {
  if (n > 0) fake_quantize_backward<<<blocks_for(n), kThreads, 0, stream>>>(grad_y, clip_mask, grad_x, n);
  return launch_error();
}

}  // namespace samebits::kernels::cuda
