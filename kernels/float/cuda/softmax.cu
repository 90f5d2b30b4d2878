#include "kernels/float/cuda/softmax.h"

#include "kernels/float/cuda/softmax.cuh"

namespace samebits::kernels::cuda {

const char* launch_softmax(const SoftmaxArgs& args, std::int64_t rows, CUstream_st* stream) {
  if (rows == 0 || args.shape.n == 0) return nullptr;
  const bool is_plain = args.shape.inner == 1;
  const auto kernel = args.is_log ? (is_plain ? softmax_rows<true> : softmax_columns<true>)
                                  : (is_plain ? softmax_rows<false> : softmax_columns<false>);
  return launch(kernel, blocks_for_rows(args.shape, rows), stream, args, rows);
}

}  // namespace samebits::kernels::cuda
