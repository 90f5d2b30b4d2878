// kernels/quantize/lsq.h on CUDA: the gradients of x and the sums of every slot, then the slots of every
// grid. A slot belongs to 16 threads, or to one where neighbours are on different grids.
#pragma once

#include "kernels/common/cuda/sums.cuh"
#include "kernels/quantize/lsq.h"
#include "kernels/quantize/reference/lsq.h"

namespace samebits::kernels::cuda {

/// LsqLayout and GridTable for the device.
struct LsqSlots {
  const float* scale;
  const std::int32_t* zero_point;  // null: all 0
  std::int32_t qmin, qmax;
  std::int64_t row_length, group_size, grids, groups_per_row;
  std::int64_t pass_length, passes, passes_per_block, blocks;
  std::int64_t chunks_per_group, chunks_per_row, slots_per_block;
  double factor, last_factor;  // lsq_gradient_factor of a group, and of the last of a row

  __device__ AffineGrid grid(std::int64_t index) const {
    return {__ldg(scale + index), zero_point == nullptr ? 0 : __ldg(zero_point + index), qmin, qmax};
  }
  /// Passes [first, last) of the block that a slot is in.
  __device__ std::int64_t first_pass(std::int64_t slot) const {
    return slot / slots_per_block * passes_per_block;
  }
  __device__ std::int64_t last_pass(std::int64_t slot) const {
    const std::int64_t last = first_pass(slot) + passes_per_block;
    return last < passes ? last : passes;
  }
  /// Elements of a group, of which the last of a row may be short.
  __device__ std::int64_t group_length(std::int64_t group) const {
    const std::int64_t rest = row_length - group * group_size;
    return rest < group_size ? rest : group_size;
  }
};

/// Elements [begin, end) of a pass, on one grid.
struct LsqRun {
  std::int64_t begin, end, grid;
};
__device__ inline LsqRun run_of_slot(const LsqSlots& slots, std::int64_t slot) {
  const std::int64_t in_block = slot % slots.slots_per_block;
  const std::int64_t row = in_block / slots.chunks_per_row, in_row = in_block % slots.chunks_per_row;
  std::int64_t group = in_row / slots.chunks_per_group;
  if (group >= slots.groups_per_row) group = slots.groups_per_row - 1;
  const std::int64_t first = (in_row - group * slots.chunks_per_group) * kSumChunk;
  const std::int64_t length = slots.group_length(group);
  const std::int64_t last = first + kSumChunk < length ? first + kSumChunk : length;
  const std::int64_t begin = row * slots.row_length + group * slots.group_size;
  return {begin + first, begin + last, row * slots.groups_per_row + group};
}

/// grad_x of all elements, and the sums of every slot. args.type is Stored. Launch with any number of blocks.
/// `saw_nan` is set by the first NaN and never cleared.
template <class Stored>
__global__ void __launch_bounds__(kThreads)
    lsq_runs(LsqArgs args, LsqSlots slots, LsqSums* sums, int* saw_nan) {
  for_each_sum(slots.blocks * slots.slots_per_block, [&](std::int64_t slot, bool is_slot) {
    LsqSums total;
    bool has_nan = false;
    const LsqRun run = is_slot ? run_of_slot(slots, slot) : LsqRun{};
    const AffineGrid grid = slots.grid(run.grid);
    const std::int64_t first_pass = is_slot ? slots.first_pass(slot) : 0;
    const int passes = is_slot ? static_cast<int>(slots.last_pass(slot) - first_pass) : 0;
    std::int64_t begin = first_pass * slots.pass_length + run.begin + threadIdx.x % kSumThreads;
    std::int64_t end = first_pass * slots.pass_length + run.end;
    // Slots of a warp may differ in their passes, and all lanes must meet in fold_lanes.
    for (int pass = 0; pass < slots.passes_per_block; ++pass) {
      double slopes = 0.0, clipped = 0.0;
      for (std::int64_t i = begin; i < end && pass < passes; i += kSumThreads) {
        const reference::LsqTerm term = reference::lsq_element<Stored>(args, i, grid);
        slopes += term.slope;
        clipped += term.clipped;
        has_nan = has_nan || term.is_nan;
      }
      total.slopes += fold_lanes(slopes);
      total.clipped += fold_lanes(clipped);
      begin += slots.pass_length;
      end += slots.pass_length;
    }
    if (is_slot && threadIdx.x % kSumThreads == 0) sums[slot] = total;
    report_nan(has_nan, saw_nan);
  });
}

/// The same where every run is one element: slot c of a block is column c, and its grid.
template <class Stored>
__global__ void __launch_bounds__(kThreads)
    lsq_columns(LsqArgs args, LsqSlots slots, LsqSums* sums, int* saw_nan) {
  const std::int64_t count = slots.blocks * slots.slots_per_block;
  const std::int64_t stride = static_cast<std::int64_t>(gridDim.x) * blockDim.x;
  std::int64_t slot = static_cast<std::int64_t>(blockIdx.x) * blockDim.x + threadIdx.x;
  for (; slot < count; slot += stride) {
    const std::int64_t column = slot % slots.slots_per_block;
    const AffineGrid grid = slots.grid(column);
    LsqSums total;
    bool has_nan = false;
    for (std::int64_t pass = slots.first_pass(slot); pass < slots.last_pass(slot); ++pass) {
      const reference::LsqTerm term =
          reference::lsq_element<Stored>(args, pass * slots.pass_length + column, grid);
      total.slopes += term.slope;
      total.clipped += term.clipped;
      has_nan = has_nan || term.is_nan;
    }
    sums[slot] = total;
    if (has_nan) atomicOr(saw_nan, 1);
  }
}

/// lsq_fold: the gradients of all grids. Launch with any number of blocks; grad_zero_point may be null.
__global__ void __launch_bounds__(kThreads)
    lsq_fold(const LsqSums* sums, LsqSlots slots, float* grad_scale, float* grad_zero_point) {
  for (std::int64_t grid = blockIdx.x; grid < slots.grids; grid += gridDim.x) {
    const std::int64_t row = grid / slots.groups_per_row, group = grid % slots.groups_per_row;
    const std::int64_t first_slot = row * slots.chunks_per_row + group * slots.chunks_per_group;
    const std::int64_t length = slots.group_length(group), chunks = sum_chunks(length);
    const double total = sum_ascending(slots.blocks * chunks, [&](std::int64_t i) {
      const LsqSums& slot = sums[i / chunks * slots.slots_per_block + first_slot + i % chunks];
      return TwoSums{slot.slopes, slot.clipped};
    });
    const double factor = group + 1 == slots.groups_per_row ? slots.last_factor : slots.factor;
    if (threadIdx.x == 0) grad_scale[grid] = static_cast<float>(with_one_nan(total * factor));
    if (threadIdx.x == 32 && grad_zero_point != nullptr)
      grad_zero_point[grid] = static_cast<float>(with_one_nan(-double{slots.scale[grid]} * total * factor));
  }
}

}  // namespace samebits::kernels::cuda
