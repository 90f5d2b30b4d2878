#pragma once
#include "kernels/lsq.h"

namespace samebits::kernels::reference {

/// What one element adds to LsqSums, and its gradient.
struct LsqTerm {
  float grad_x;
  double slope, clipped;
};
SAMEBITS_HOST_DEVICE inline LsqTerm lsq_term(float x, float grad_y, const AffineGrid& grid) {
  if (isnan(x)) return {0.0f, 0.0, 0.0};
  const float position = grid_position(x, grid);
  const bool clipped = is_clipped(position, grid);
  const float steps = static_cast<float>(code_at(position, grid) - grid.zero_point);
  const float slope = clipped ? steps : steps - x / grid.scale;
  return {clipped ? 0.0f : grad_y, double{grad_y} * double{slope}, clipped ? double{grad_y} : 0.0};
}

bool lsq_backward_run(const LsqArgs& args, const AffineGrid& grid, std::int64_t begin, std::int64_t end,
                      LsqSums& sums);
bool lsq_backward_columns(const LsqArgs& args, const LsqColumns& columns, LsqSums* sums);

}  // namespace samebits::kernels::reference
