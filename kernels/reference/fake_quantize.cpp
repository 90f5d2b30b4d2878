// The contract of kernels/fake_quantize.h as a plain loop: read this first. The others must give its bits.
#include "kernels/reference/fake_quantize.h"

#include "kernels/reference/clip_mask.h"

namespace samebits::kernels::reference {

bool fake_quantize_run(const FakeQuantizeArgs& args, const AffineGrid& grid, std::int64_t begin,
                       std::int64_t end) {
  bool saw_nan = false;
  for (std::int64_t i = begin; i < end; ++i) {
    const float position = grid_position(args.x[i], grid);
    append_clip_bit(args.clip_mask, i, is_clipped(position, grid));
    args.y[i] = dequantize(code_at(position, grid), grid);
    saw_nan = saw_nan || isnan(position);
  }
  return saw_nan;
}

void fake_quantize_backward(const float* grad_y, const std::uint8_t* clip_mask, float* grad_x,
                            std::int64_t begin, std::int64_t end) {
  for (std::int64_t i = begin; i < end; ++i) {
    const bool clipped = (clip_mask[i / 8] >> (i % 8) & 1) != 0;
    grad_x[i] = clipped ? 0.0f : grad_y[i];
  }
}

}  // namespace samebits::kernels::reference
