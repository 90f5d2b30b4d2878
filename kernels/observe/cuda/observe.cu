#include "kernels/observe/cuda/observe.h"

#include "kernels/observe/cuda/observe.cuh"

namespace samebits::kernels::cuda {

const char* launch_observe(const void* x, std::int64_t n, FloatType type, Observation* chunks,
                           Observation* all, CUstream_st* stream) {
  if (n > 0) {
    const char* const error = with_float_type(type, [&]<class Stored>(Stored) {
      return launch(observe_chunks<Stored>, blocks_for(sum_chunks(n), kSumsPerBlock), stream,
                    static_cast<const Stored*>(x), n, chunks);
    });
    if (error != nullptr) return error;
  }
  return launch(observe_fold, 1, stream, static_cast<const Observation*>(chunks), sum_chunks(n), all);
}

}  // namespace samebits::kernels::cuda
