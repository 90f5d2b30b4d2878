#include "kernels/cuda/dequantize.h"

#include "kernels/cuda/dequantize.cuh"

namespace samebits::kernels::cuda {

const char* launch_dequantize(const std::int8_t* codes, float* y, const GridTable& table, std::int64_t n,
                              CUstream_st* stream) {
  if (n == 0) return nullptr;
  return with_grids(table, n, [&]<class Grids>(const Grids& grids) {
    return launch(dequantize<Grids>, blocks_for_quads(n), stream, codes, y, grids, n);
  });
}

}  // namespace samebits::kernels::cuda
