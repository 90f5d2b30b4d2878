#include "kernels/float/cuda/function.h"

#include "kernels/float/cuda/function.cuh"

namespace samebits::kernels::cuda {

const char* launch_function(const FunctionArgs& args, std::int64_t n, CUstream_st* stream) {
  if (n == 0) return nullptr;
  return with_function(args.function, [&](auto function) {
    return launch(apply_function<decltype(function)::value>, blocks_for_quads(n), stream, args, n);
  });
}

}  // namespace samebits::kernels::cuda
