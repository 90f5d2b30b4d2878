#include "kernels/matmul/cuda/epilogue.h"

#include "kernels/matmul/cuda/epilogue.cuh"

namespace samebits::kernels::cuda {

const char* launch_epilogue(const EpilogueArgs& args, CUstream_st* stream) {
  if (args.m == 0 || args.n == 0) return nullptr;
  return launch(epilogue, blocks_for(args.m * quads_per_row(args.n), kThreads), stream, args);
}

const char* launch_epilogue_codes(const EpilogueArgs& args, const GridTable& grid, int* saw_nan,
                                  CUstream_st* stream) {
  if (args.m == 0 || args.n == 0) return nullptr;
  return launch(epilogue_codes, blocks_for(args.m * quads_per_row(args.n), kThreads), stream, args,
                GridArrays{grid.scale, grid.zero_point, grid.qmin, grid.qmax}, saw_nan);
}

}  // namespace samebits::kernels::cuda
