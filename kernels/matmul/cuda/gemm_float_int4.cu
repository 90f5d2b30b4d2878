#include "kernels/matmul/cuda/gemm_float_int4.h"

#include "kernels/matmul/cuda/gemm_float_int4.cuh"

namespace samebits::kernels::cuda {

const char* launch_gemm_float_int4(const GemmFloatArgs& args, CUstream_st* stream) {
  if (args.m == 0 || args.b.shape.n == 0) return nullptr;
  return with_float_type(args.x_type, [&]<class Stored>(Stored) {
    return with_format(args.b.format, [&]<class Format>(Format) {
      return launch(gemm_float_int4<Stored, Format::value>,
                    blocks_for_tiles(args.m, args.b.shape.n, kFloatRows), stream, args);
    });
  });
}

}  // namespace samebits::kernels::cuda
