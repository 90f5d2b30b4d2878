#include "kernels/matmul/cuda/float_gemm.h"

#include "kernels/matmul/cuda/float_gemm.cuh"

namespace samebits::kernels::cuda {

const char* launch_float_linear(const FloatLinearArgs& args, CUstream_st* stream) {
  if (args.m == 0 || args.n == 0) return nullptr;
  return launch(float_linear, blocks_for_float_tiles(args.m, args.n), stream, args);
}

}  // namespace samebits::kernels::cuda
