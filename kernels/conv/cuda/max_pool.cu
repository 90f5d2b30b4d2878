#include "kernels/conv/cuda/max_pool.h"

#include "kernels/conv/cuda/max_pool.cuh"

namespace samebits::kernels::cuda {

const char* launch_max_pool(const MaxPoolShape& shape, std::int64_t planes, const float* x, float* y,
                            std::uint8_t* argmax, CUstream_st* stream) {
  const PoolSizes sizes{shape, shape.out_height(), shape.out_width(), planes};
  if (planes == 0) return nullptr;
  return launch(max_pool, blocks_for(planes * shape.out_size(), kThreads), stream, sizes, x, y, argmax);
}

const char* launch_max_pool_backward(const MaxPoolShape& shape, std::int64_t planes, const float* grad_y,
                                     const std::uint8_t* argmax, float* grad_x, CUstream_st* stream) {
  const PoolSizes sizes{shape, shape.out_height(), shape.out_width(), planes};
  if (planes == 0) return nullptr;
  return launch(max_pool_backward, blocks_for(planes * shape.in_size(), kThreads), stream, sizes, grad_y,
                argmax, grad_x);
}

}  // namespace samebits::kernels::cuda
