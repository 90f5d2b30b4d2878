#include "kernels/quantize/cuda/dequantize.h"

#include "kernels/quantize/cuda/dequantize.cuh"

namespace samebits::kernels::cuda {

const char* launch_dequantize(const std::int8_t* codes, void* y, const GridTable& table, std::int64_t n,
                              FloatType type, CUstream_st* stream) {
  if (n == 0) return nullptr;
  return with_types_and_grids(type, table, n, [&]<class Stored, class Grids>(Stored, const Grids& grids) {
    return launch(dequantize<Stored, Grids>, blocks_for_quads(n), stream, codes, static_cast<Stored*>(y),
                  grids, n);
  });
}

}  // namespace samebits::kernels::cuda
