#include "kernels/matmul/cuda/gemm_int4.h"

#include "kernels/matmul/cuda/gemm_int4.cuh"

namespace samebits::kernels::cuda {

const char* launch_gemm_codes(const GemmCodesArgs& args, CUstream_st* stream) {
  if (args.m == 0 || args.b.shape.n == 0) return nullptr;
  return with_format(args.b.format, [&]<class Format>(Format) {
    return launch(gemm_codes<Format::value>, blocks_for_tiles(args.m, args.b.shape.n, kCodeRows), stream,
                  args);
  });
}

}  // namespace samebits::kernels::cuda
