#include "kernels/quantize/cuda/quantize.h"

#include "kernels/quantize/cuda/quantize.cuh"

namespace samebits::kernels::cuda {

const char* launch_quantize(const QuantizeArgs& args, const GridTable& table, std::int64_t n, int* saw_nan,
                            CUstream_st* stream) {
  if (n == 0) return nullptr;
  return with_types_and_grids(
      args.type, table, n, [&]<class Stored, class Grids>(Stored, const Grids& grids) {
        return launch(quantize<Stored, Grids>, blocks_for_quads(n), stream, args, grids, n, saw_nan);
      });
}

}  // namespace samebits::kernels::cuda
