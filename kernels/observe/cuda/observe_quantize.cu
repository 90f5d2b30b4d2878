#include "kernels/observe/cuda/observe_quantize.h"

#include "kernels/observe/cuda/observe_quantize.cuh"

namespace samebits::kernels::cuda {

static_assert(kObservePartials == kMaxBlocks);

const char* launch_observe_quantize(const QuantizeArgs& args, const GridTable& table, std::int64_t n,
                                    MinMax* partials, MinMax* range, CUstream_st* stream) {
  const unsigned blocks = n == 0 ? 0 : blocks_for_quads(n);
  if (n > 0) {
    const char* const error =
        with_types_and_grids(args.type, table, n, [&]<class Stored, class Grids>(Stored, const Grids& grids) {
          return launch(observe_quantize<Stored, Grids>, blocks, stream, args, grids, n, partials);
        });
    if (error != nullptr) return error;
  }
  return launch(merge_ranges, 1, stream, static_cast<const MinMax*>(partials), std::int64_t{blocks},
                args.fold_relu, range);
}

const char* launch_observe_fake_quantize(const FakeQuantizeArgs& args, const GridTable& table, std::int64_t n,
                                         MinMax* partials, MinMax* range, CUstream_st* stream) {
  const unsigned blocks = n == 0 ? 0 : blocks_for_quads(n);
  if (n > 0) {
    const char* const error =
        with_types_and_grids(args.type, table, n, [&]<class Stored, class Grids>(Stored, const Grids& grids) {
          return launch(observe_fake_quantize<Stored, Grids>, blocks, stream, args, grids, n, partials);
        });
    if (error != nullptr) return error;
  }
  return launch(merge_ranges, 1, stream, static_cast<const MinMax*>(partials), std::int64_t{blocks}, false,
                range);
}

const char* launch_move_grid(const MoveGridArgs& args, CUstream_st* stream) {
  return launch(take_range, 1, stream, args);
}

}  // namespace samebits::kernels::cuda
