#include "kernels/float/cuda/relu.h"

#include "kernels/float/cuda/relu.cuh"

namespace samebits::kernels::cuda {

const char* launch_relu(const ReluArgs& args, std::int64_t n, CUstream_st* stream) {
  if (n == 0) return nullptr;
  return with_float_type(args.type, [&]<class Stored>(Stored) {
    return launch(relu<Stored>, blocks_for_quads(n), stream, args, n);
  });
}

}  // namespace samebits::kernels::cuda
