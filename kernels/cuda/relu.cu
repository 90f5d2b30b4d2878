#include "kernels/cuda/relu.h"

#include "kernels/cuda/relu.cuh"

namespace samebits::kernels::cuda {

const char* launch_relu(const ReluArgs& args, std::int64_t n, CUstream_st* stream) {
  if (n == 0) return nullptr;
  return launch(relu, blocks_for_quads(n), stream, args, n);
}

}  // namespace samebits::kernels::cuda
