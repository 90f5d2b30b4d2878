#include "kernels/float/cuda/reduce.h"

#include "kernels/float/cuda/reduce.cuh"

namespace samebits::kernels::cuda {

const char* launch_sum_rows(const ReduceArgs& args, std::int64_t rows, CUstream_st* stream) {
  if (rows == 0) return nullptr;
  return launch(args.shape.inner == 1 ? reduce_rows<false> : reduce_columns<false>,
                blocks_for_rows(args.shape, rows), stream, args, rows);
}

const char* launch_max_rows(const ReduceArgs& args, std::int64_t rows, CUstream_st* stream) {
  if (rows == 0) return nullptr;
  return launch(args.shape.inner == 1 ? reduce_rows<true> : reduce_columns<true>,
                blocks_for_rows(args.shape, rows), stream, args, rows);
}

}  // namespace samebits::kernels::cuda
