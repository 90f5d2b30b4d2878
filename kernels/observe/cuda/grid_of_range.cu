#include "kernels/observe/cuda/grid_of_range.h"

#include "kernels/observe/cuda/grid_of_range.cuh"

namespace samebits::kernels::cuda {

const char* launch_grids_of_ranges(const GridsOfRangesArgs& args, CUstream_st* stream) {
  return args.count == 0 ? nullptr : launch(grids_of_ranges, blocks_for(args.count, kThreads), stream, args);
}

}  // namespace samebits::kernels::cuda
