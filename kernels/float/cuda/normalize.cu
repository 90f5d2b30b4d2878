#include "kernels/float/cuda/normalize.h"

#include "kernels/float/cuda/normalize.cuh"

namespace samebits::kernels::cuda {

const char* launch_normalize_rows(const NormalizeArgs& args, std::int64_t rows, CUstream_st* stream) {
  if (rows == 0) return nullptr;
  const auto kernel = args.is_rms ? normalize_rows<true> : normalize_rows<false>;
  return launch(kernel, blocks_for(rows, kRowsPerBlock), stream, args, rows);
}

const char* launch_scale_channels(const ScaleChannelsArgs& args, std::int64_t planes, CUstream_st* stream) {
  const std::int64_t n = planes * args.inner;
  if (n == 0) return nullptr;
  return launch(scale_channels, blocks_for(n, kThreads), stream, args, n);
}

}  // namespace samebits::kernels::cuda
