#include "kernels/observe/cuda/observe_quantize.h"

#include "kernels/observe/cuda/observe_quantize.cuh"

namespace samebits::kernels::cuda {

static_assert(kObservePartials == kMaxBlocks);

const char* launch_observe_quantize(const QuantizeArgs& args, const GridTable& table, std::int64_t n,
                                    const RangeOutputs& out, CUstream_st* stream) {
  const bool is_one = table.rows * table.groups_per_row() == 1;
  const unsigned blocks = n == 0 ? 0 : is_one ? blocks_for_octets(n) : blocks_for_quads(n);
  const char* error = nullptr;
  if (n > 0 && is_one) {
    error = with_float_type(args.type, [&]<class Stored>(Stored) {
      return launch(
          args.fold_relu ? observe_quantize_one_grid<Stored, true> : observe_quantize_one_grid<Stored, false>,
          blocks, stream, args, GridArrays{table.scale, table.zero_point, table.qmin, table.qmax}, n,
          out.partials);
    });
  } else if (n > 0) {
    error =
        with_types_and_grids(args.type, table, n, [&]<class Stored, class Grids>(Stored, const Grids& grids) {
          return launch(observe_quantize<Stored, Grids>, blocks, stream, args, grids, n, out.partials);
        });
  }
  return error != nullptr ? error
                          : launch(merge_ranges, 1, stream, out, std::int64_t{blocks}, args.fold_relu);
}

const char* launch_observe_fake_quantize(const FakeQuantizeArgs& args, const GridTable& table, std::int64_t n,
                                         const RangeOutputs& out, CUstream_st* stream) {
  const unsigned blocks = n == 0 ? 0 : blocks_for_quads(n);
  if (n > 0) {
    const char* const error =
        with_types_and_grids(args.type, table, n, [&]<class Stored, class Grids>(Stored, const Grids& grids) {
          return launch(observe_fake_quantize<Stored, Grids>, blocks, stream, args, grids, n, out.partials);
        });
    if (error != nullptr) return error;
  }
  return launch(merge_ranges, 1, stream, out, std::int64_t{blocks}, false);
}

const char* launch_move_grid(const MoveGridArgs& args, CUstream_st* stream) {
  return launch(take_range, 1, stream, args);
}

}  // namespace samebits::kernels::cuda
