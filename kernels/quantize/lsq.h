// Learned scales: the gradients of fake_quantize to x, scale and zero point in one pass. LSQ
// (arXiv:1902.08153) and, with a zero point, LSQ+ (arXiv:2004.09576). Forward is fake_quantize; backward
// takes x, so no mask is saved.
//
// With v = x / scale, code and clip of affine.h, g = grad_y, and steps = code - zero_point, for each element
//   grad_x               = g where not clipped, else 0
//   slope                = steps - v where not clipped (rint(v) - v, exact in float32), else steps
//   grad_scale          += g * slope             (exact in double)
//   grad_zero_point     += -scale * g where clipped, else 0
// An x that is NaN gives 0 to all three, whatever g, and raises the flag.
#pragma once

#include <cstdint>

#include "kernels/common/affine.h"
#include "kernels/common/chunked_sum.h"
#include "kernels/common/float_type.h"
#include "kernels/common/grid_table.h"
#include "kernels/common/kernel.h"

namespace samebits::kernels {

/// The arrays of one call, all of `type`. 16-bit floats are widened, which is exact; where a gradient passes,
/// its bits are copied.
struct LsqArgs {
  const void* x;
  const void* grad_y;
  void* grad_x;  // may be grad_y
  FloatType type = FloatType::kFloat32;
};

/// Sums over some elements of one grid. Where a sum is NaN its bits are not specified; those of a gradient
/// are.
struct LsqSums {
  double slopes = 0.0;   // g * slope
  double clipped = 0.0;  // g where clipped
};

/// How a tensor of n elements, a multiple of table.rows * table.row_length, is cut into slots: what one
/// LsqSums adds up, and what threads share. Fixed by the table and n alone.
///
/// The tensor is `passes` walks over all grids. A block is as many passes as give each row 256 elements, at
/// least one. A slot is one grid in one block, or a chunk of kSumChunk elements of it where its run is
/// longer. A slot adds the sums of its runs (chunked_sum.h), passes ascending, from +0. Slots are ordered
/// [block][row][group][chunk].
struct LsqLayout {
  LsqLayout(const GridTable& table, std::int64_t n);

  std::int64_t pass_length = 0, passes = 0, passes_per_block = 0, blocks = 0;
  std::int64_t groups_per_row = 0;
  std::int64_t chunks_per_group = 0;  // of all groups of a row but the last, which may have fewer
  std::int64_t chunks_per_row = 0, slots_per_block = 0;
  std::int64_t slots() const { return blocks * slots_per_block; }
};

/// grad_x of all elements of slots [begin, end), and sums[begin] to sums[end - 1]. Any cut gives the same
/// bits. Returns whether it met a NaN in x. Does not allocate or throw.
bool lsq_backward(const LsqArgs& args, const GridTable& table, std::int64_t n, LsqSums* sums,
                  std::int64_t begin, std::int64_t end);

/// Gradients of the grids, [table.rows][table.groups_per_row()], from the sums of all slots, added in
/// ascending order:
///   grad_scale = float(slopes * factor),   grad_zero_point = float(-scale * clipped * factor),
/// products in double from left to right, with LSQ's factor below for the N elements of the grid in all
/// passes. grad_zero_point: null where it is not wanted.
void lsq_fold(const LsqSums* sums, const GridTable& table, std::int64_t n, float* grad_scale,
              float* grad_zero_point);

/// 1 / sqrt(elements * qmax): brings the gradient of a scale to the size of its weights' (LSQ §2.2). qmax >
/// 0.
double lsq_gradient_factor(std::int64_t elements, std::int32_t qmax);

/// Elements [begin, end), at most kSumChunk, on one grid: adds their two sums to `sums`. Returns the NaN
/// flag.
extern const Kernel<bool(const LsqArgs& args, const AffineGrid& grid, std::int64_t begin, std::int64_t end,
                         LsqSums& sums)>
    lsq_backward_run;

/// Neighbours on different grids, as with a grid for each channel of the last axis.
struct LsqColumns {
  const float* scale;              // [columns]
  const std::int32_t* zero_point;  // [columns]; null: all 0
  std::int32_t qmin, qmax;
  std::int64_t columns, passes;
  std::int64_t begin, stride;  // column c of pass p is element begin + p * stride + c
};

/// All elements of `columns`: sums[c] becomes the sum of column c's terms, passes ascending, from +0. Returns
/// the NaN flag.
extern const Kernel<bool(const LsqArgs& args, const LsqColumns& columns, LsqSums* sums)> lsq_backward_columns;

}  // namespace samebits::kernels
