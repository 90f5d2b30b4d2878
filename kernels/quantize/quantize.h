// float -> int8 codes: one pass, 5 1/8 bytes an element from float32 (4 read, 1 and a bit written), 3 1/8
// from 16-bit types.
#pragma once

#include <cstdint>

#include "kernels/common/affine.h"
#include "kernels/common/float_type.h"
#include "kernels/common/grid_table.h"
#include "kernels/common/kernel.h"

namespace samebits::kernels {

/// The arrays of one call, n elements each, of any alignment (of their type's at least).
struct QuantizeArgs {
  const void* x;  // of `type`
  std::int8_t* codes;
  std::uint8_t* clip_mask;  // as in fake_quantize.h; null: not wanted
  FloatType type = FloatType::kFloat32;
  /// Quantize max(x, 0) instead of x: codes, and a mask bit wherever x <= 0 or the quantizer clips, so that
  /// the mask is the gradient of both. Where zero_point is qmin the codes are those of x itself
  /// (docs/numerics.md §6).
  bool fold_relu = false;
};

/// Computes elements [begin, end), each on the grid that the table gives it, with qmin, qmax within [-128,
/// 127]: ONNX QuantizeLinear, with NaN defined. Mask bits and the returned NaN flag as in fake_quantize.h.
/// Does not allocate or throw.
extern const Kernel<bool(const QuantizeArgs& args, const GridTable& table, std::int64_t begin,
                         std::int64_t end)>
    quantize;

/// The same on one grid.
bool quantize_run(const QuantizeArgs& args, const AffineGrid& grid, std::int64_t begin, std::int64_t end);

}  // namespace samebits::kernels
