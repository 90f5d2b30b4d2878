#include "kernels/observe/cuda/min_max.h"

#include "kernels/observe/cuda/min_max.cuh"

namespace samebits::kernels::cuda {

const char* launch_min_max(const float* x, const Segments& segments, MinMax* partials, float* min, float* max,
                           int* saw_nan, CUstream_st* stream) {
  if (segments.count() == 0) return nullptr;
  constexpr std::int64_t kWarps = kThreads / 32;
  const char* const error =
      launch(min_max_chunks, blocks_for(segments.chunks(), kWarps), stream, x, segments, partials);
  if (error != nullptr) return error;
  return launch(min_max_segments, blocks_for(segments.count(), kWarps), stream,
                static_cast<const MinMax*>(partials), segments, min, max, saw_nan);
}

}  // namespace samebits::kernels::cuda
