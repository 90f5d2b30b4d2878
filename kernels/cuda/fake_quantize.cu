#include "kernels/cuda/fake_quantize.h"

#include "kernels/cuda/fake_quantize.cuh"

namespace samebits::kernels::cuda {

const char* launch_fake_quantize(const FakeQuantizeArgs& args, const GridTable& table, std::int64_t n,
                                 int* saw_nan, CUstream_st* stream) {
  if (n == 0) return nullptr;
  return with_grids(table, n, [&]<class Grids>(const Grids& grids) {
    return launch(fake_quantize<Grids>, blocks_for_quads(n), stream, args, grids, n, saw_nan);
  });
}

const char* launch_fake_quantize_backward(const float* grad_y, const std::uint8_t* clip_mask, float* grad_x,
                                          std::int64_t n, CUstream_st* stream) {
  if (n == 0) return nullptr;
  return launch(fake_quantize_backward, blocks_for_quads(n), stream, grad_y, clip_mask, grad_x, n);
}

}  // namespace samebits::kernels::cuda
