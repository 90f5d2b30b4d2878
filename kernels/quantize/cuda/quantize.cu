#include "kernels/quantize/cuda/quantize.h"

#include "kernels/quantize/cuda/quantize.cuh"

namespace samebits::kernels::cuda {

const char* launch_quantize(const QuantizeArgs& args, const GridTable& table, std::int64_t n, int* saw_nan,
                            CUstream_st* stream, const std::uint8_t* only_if) {
  if (n == 0) return nullptr;
  if (table.rows * table.groups_per_row() == 1)
    return with_float_type(args.type, [&]<class Stored>(Stored) {
      const GridArrays grid{table.scale, table.zero_point, table.qmin, table.qmax};
      return launch(args.fold_relu ? quantize_one_grid<Stored, true> : quantize_one_grid<Stored, false>,
                    blocks_for_octets(n), stream, args, grid, n, saw_nan, only_if);
    });
  return with_types_and_grids(
      args.type, table, n, [&]<class Stored, class Grids>(Stored, const Grids& grids) {
        return launch(quantize<Stored, Grids>, blocks_for_quads(n), stream, args, grids, n, saw_nan, only_if);
      });
}

}  // namespace samebits::kernels::cuda
