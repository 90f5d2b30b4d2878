#include "kernels/quantize/cuda/lsq.h"

#include "kernels/quantize/cuda/lsq.cuh"

namespace samebits::kernels::cuda {

const char* launch_lsq_backward(const LsqArgs& args, const GridTable& table, std::int64_t n, LsqSums* sums,
                                float* grad_scale, float* grad_zero_point, int* saw_nan,
                                CUstream_st* stream) {
  const LsqLayout layout(table, n);
  const std::int64_t group_size = std::min(table.group_size, table.row_length);
  const auto factor = [&](std::int64_t length) {
    return lsq_gradient_factor(layout.passes * length, table.qmax);
  };
  const LsqSlots slots{.scale = table.scale,
                       .zero_point = table.zero_point,
                       .qmin = table.qmin,
                       .qmax = table.qmax,
                       .row_length = table.row_length,
                       .group_size = group_size,
                       .grids = table.rows * layout.groups_per_row,
                       .groups_per_row = layout.groups_per_row,
                       .pass_length = layout.pass_length,
                       .passes = layout.passes,
                       .passes_per_block = layout.passes_per_block,
                       .blocks = layout.blocks,
                       .chunks_per_group = layout.chunks_per_group,
                       .chunks_per_row = layout.chunks_per_row,
                       .slots_per_block = layout.slots_per_block,
                       .factor = factor(group_size),
                       .last_factor = factor(table.row_length - (layout.groups_per_row - 1) * group_size)};
  const char* const error = with_float_type(args.type, [&]<class Stored>(Stored) {
    if (group_size == 1)
      return launch(lsq_columns<Stored>, blocks_for(layout.slots(), kThreads), stream, args, slots, sums,
                    saw_nan);
    return launch(lsq_runs<Stored>, blocks_for(layout.slots(), kSumsPerBlock), stream, args, slots, sums,
                  saw_nan);
  });
  if (error != nullptr) return error;
  return launch(lsq_fold, blocks_for(slots.grids, 1), stream, static_cast<const LsqSums*>(sums), slots,
                grad_scale, grad_zero_point);
}

}  // namespace samebits::kernels::cuda
