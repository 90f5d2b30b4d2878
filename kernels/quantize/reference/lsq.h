#pragma once
#include "kernels/quantize/lsq.h"

namespace samebits::kernels::reference {

/// What one element adds to LsqSums, and whether its gradient passes.
struct LsqTerm {
  double slope, clipped;
  bool passes, is_nan;
};

SAMEBITS_HOST_DEVICE inline LsqTerm lsq_term(float x, float grad_y, const AffineGrid& grid) {
  if (isnan(x)) return {0.0, 0.0, false, true};
  const float position = grid_position(x, grid);
  const bool clipped = is_clipped(position, grid);
  const float steps = static_cast<float>(code_at(position, grid) - grid.zero_point);
  const float slope = clipped ? steps : steps - x / grid.scale;
  return {double{grad_y} * double{slope}, clipped ? double{grad_y} : 0.0, !clipped, false};
}

/// The term of element i, whose grad_x it stores.
template <class Stored>
SAMEBITS_HOST_DEVICE LsqTerm lsq_element(const LsqArgs& args, std::int64_t i, const AffineGrid& grid) {
  const Stored grad = static_cast<const Stored*>(args.grad_y)[i];
  const LsqTerm term = lsq_term(to_float(static_cast<const Stored*>(args.x)[i]), to_float(grad), grid);
  static_cast<Stored*>(args.grad_x)[i] = term.passes ? grad : Stored();
  return term;
}

bool lsq_backward_run(const LsqArgs& args, const AffineGrid& grid, std::int64_t begin, std::int64_t end,
                      LsqSums& sums);
bool lsq_backward_columns(const LsqArgs& args, const LsqColumns& columns, LsqSums* sums);

}  // namespace samebits::kernels::reference
