// How a kernel is launched: on the caller's stream, checked, without waiting and without memory of its own,
// so that a CUDA graph can capture every launcher. For .cu files.
#pragma once

#include <algorithm>
#include <cstdint>

namespace samebits::kernels::cuda {

/// Threads of a block, for every kernel.
constexpr int kThreads = 256;

/// Of one launch: enough to keep a large GPU busy.
constexpr std::int64_t kMaxBlocks = 4096;

/// Blocks for `items` at `items_per_block`, at most kMaxBlocks: threads stride.
inline unsigned blocks_for(std::int64_t items, std::int64_t items_per_block) {
  return static_cast<unsigned>(
      std::clamp<std::int64_t>((items + items_per_block - 1) / items_per_block, 1, kMaxBlocks));
}

/// Queues kernel<<<blocks, kThreads>>>(arguments...). Returns null, or the error's text; the error is
/// cleared.
template <class... Parameters, class... Arguments>
const char* launch(void (*kernel)(Parameters...), unsigned blocks, cudaStream_t stream,
                   const Arguments&... arguments) {
  cudaLaunchConfig_t config = {};
  config.gridDim = dim3(blocks);
  config.blockDim = dim3(kThreads);
  config.stream = stream;
  const cudaError_t error = cudaLaunchKernelEx(&config, kernel, arguments...);
  if (error == cudaSuccess) return nullptr;
  cudaGetLastError();
  return cudaGetErrorString(error);
}

}  // namespace samebits::kernels::cuda
