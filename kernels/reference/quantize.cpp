// The contract of kernels/quantize.h as a plain loop.
#include "kernels/reference/quantize.h"

#include "kernels/reference/clip_mask.h"

namespace samebits::kernels::reference {

bool quantize_run(const QuantizeArgs& args, const AffineGrid& grid, std::int64_t begin, std::int64_t end) {
  bool saw_nan = false;
  for (std::int64_t i = begin; i < end; ++i) {
    const float position = grid_position(args.x[i], grid);
    if (args.clip_mask != nullptr) append_clip_bit(args.clip_mask, i, is_clipped(position, grid));
    args.codes[i] = static_cast<std::int8_t>(code_at(position, grid));
    saw_nan = saw_nan || isnan(position);
  }
  return saw_nan;
}

}  // namespace samebits::kernels::reference
