// float -> code -> float, with what backward needs. One grid a run; for_each_run splits channels and groups.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/affine.h"
#include "kernels/grid_table.h"
#include "kernels/implementation.h"

namespace samebits::kernels {

/// The arrays of one call, n elements each, of any alignment.
struct FakeQuantizeArgs {
  const float* x;
  float* y;                 // may be x
  std::uint8_t* clip_mask;  // ceil(n / 8) bytes: bit i % 8 of byte i / 8 is 1 where x[i] was clipped
};

/// Computes elements [begin, end) on one grid with qmin, qmax within [-128, 127]. When `begin` is no multiple
/// of 8 the lower bits of its mask byte are kept; bits from `end` on are 0. Returns whether it met a NaN: code
/// zero_point, mask bit 1. Does not allocate or throw. Every implementation gives the same bits
/// (docs/numerics.md §2).
bool fake_quantize_run(const FakeQuantizeArgs& args, const AffineGrid& grid, std::int64_t begin,
                       std::int64_t end);

/// The same over a table of grids. `begin` is a multiple of 8, so that no two threads share a mask byte.
bool fake_quantize(const FakeQuantizeArgs& args, const GridTable& table, std::int64_t begin, std::int64_t end);

/// The straight-through gradient: grad_x[i] = 0 where the mask bit is 1, else grad_y[i], for i in [begin, end).
/// grad_x may be grad_y.
void fake_quantize_backward(const float* grad_y, const std::uint8_t* clip_mask, float* grad_x,
                            std::int64_t begin, std::int64_t end);

/// Best first, `reference` last; printed by `samebits doctor`.
std::span<const Implementation<decltype(fake_quantize_run)>> fake_quantize_implementations();
std::span<const Implementation<decltype(fake_quantize_backward)>> fake_quantize_backward_implementations();

}  // namespace samebits::kernels
