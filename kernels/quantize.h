// float -> int8 codes. One grid a run; for_each_run splits channels and groups.
#pragma once

#include <cstdint>
#include <span>

#include "kernels/affine.h"
#include "kernels/grid_table.h"
#include "kernels/implementation.h"

namespace samebits::kernels {

/// The arrays of one call, n elements each, of any alignment.
struct QuantizeArgs {
  const float* x;
  std::int8_t* codes;
  std::uint8_t* clip_mask;  // as in fake_quantize.h; null: not wanted
};

/// Computes elements [begin, end) on one grid with qmin, qmax within [-128, 127]: ONNX QuantizeLinear, with NaN
/// defined. Mask bits and the returned NaN flag as in fake_quantize.h. Does not allocate or throw.
bool quantize_run(const QuantizeArgs& args, const AffineGrid& grid, std::int64_t begin, std::int64_t end);

/// The same over a table of grids. With a mask, `begin` is a multiple of 8.
bool quantize(const QuantizeArgs& args, const GridTable& table, std::int64_t begin, std::int64_t end);

std::span<const Implementation<decltype(quantize_run)>> quantize_implementations();

}  // namespace samebits::kernels
