// float -> code -> float, with what backward needs: one pass, 8 1/8 bytes an element in float32 (4 read, 4
// and a bit written), 4 1/8 in 16-bit types; backward the same.
#pragma once

#include <cstdint>

#include "kernels/common/affine.h"
#include "kernels/common/float_type.h"
#include "kernels/common/grid_table.h"
#include "kernels/common/kernel.h"

namespace samebits::kernels {

/// The arrays of one call, n elements each, of any alignment (of their type's at least).
struct FakeQuantizeArgs {
  const void* x;            // of `type`
  void* y;                  // of `type`; may be x
  std::uint8_t* clip_mask;  // ceil(n / 8) bytes: bit i % 8 of byte i / 8 is 1 where x[i] was clipped
  FloatType type = FloatType::kFloat32;
};

/// Computes elements [begin, end), each on the grid that the table gives it, with qmin, qmax within [-128,
/// 127]. The arithmetic is float32: 16-bit x are widened, which is exact, and y is rounded to `type` once
/// more, to nearest. When `begin` is no multiple of 8 the lower bits of its mask byte are kept; bits from
/// `end` on are 0. So threads that share a tensor cut it at multiples of 8. Returns whether it met a NaN:
/// code zero_point, mask bit 1. Does not allocate or throw. Every implementation gives the same bits
/// (docs/numerics.md §2).
extern const Kernel<bool(const FakeQuantizeArgs& args, const GridTable& table, std::int64_t begin,
                         std::int64_t end)>
    fake_quantize;

/// The same on one grid.
bool fake_quantize_run(const FakeQuantizeArgs& args, const AffineGrid& grid, std::int64_t begin,
                       std::int64_t end);

/// The straight-through gradient: grad_x[i] = 0 where the mask bit is 1, else grad_y[i], for i in [begin,
/// end). grad_x may be grad_y. Both have `type`; bits are moved, nothing is rounded.
extern const Kernel<void(const void* grad_y, const std::uint8_t* clip_mask, void* grad_x, std::int64_t begin,
                         std::int64_t end, FloatType type)>
    fake_quantize_backward;

/// Best first, `reference` last; printed by `samebits doctor`.

}  // namespace samebits::kernels
