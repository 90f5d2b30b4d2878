// The contract of kernels/quantize/fake_quantize.h as plain loops: read this first. The others must give its
// bits.
#include "kernels/quantize/reference/fake_quantize.h"

#include "kernels/common/reference/clip_mask.h"

namespace samebits::kernels::reference {
namespace {

template <class Stored>
bool fake_quantize_as(const FakeQuantizeArgs& args, const AffineGrid& grid, std::int64_t begin,
                      std::int64_t end) {
  const auto* x = static_cast<const Stored*>(args.x);
  auto* y = static_cast<Stored*>(args.y);
  bool saw_nan = false;
  for (std::int64_t i = begin; i < end; ++i) {
    const float position = grid_position(to_float(x[i]), grid);
    append_clip_bit(args.clip_mask, i, is_clipped(position, grid));
    y[i] = round_to<Stored>(dequantize(code_at(position, grid), grid));
    saw_nan = saw_nan || isnan(position);
  }
  return saw_nan;
}

template <class Stored>
void backward_as(const void* grad_y, const std::uint8_t* clip_mask, void* grad_x, std::int64_t begin,
                 std::int64_t end) {
  for (std::int64_t i = begin; i < end; ++i) {
    const bool clipped = (clip_mask[i / 8] >> (i % 8) & 1) != 0;
    static_cast<Stored*>(grad_x)[i] = clipped ? Stored() : static_cast<const Stored*>(grad_y)[i];
  }
}

}  // namespace

bool fake_quantize_run(const FakeQuantizeArgs& args, const AffineGrid& grid, std::int64_t begin,
                       std::int64_t end) {
  return with_float_type(
      args.type, [&](auto stored) { return fake_quantize_as<decltype(stored)>(args, grid, begin, end); });
}

bool fake_quantize(const FakeQuantizeArgs& args, const GridTable& table, std::int64_t begin,
                   std::int64_t end) {
  bool saw_nan = false;
  for_each_run(table, begin, end, [&](std::int64_t first, std::int64_t last, std::int64_t index) {
    saw_nan |= reference::fake_quantize_run(args, table.grid(index), first, last);
  });
  return saw_nan;
}

void fake_quantize_backward(const void* grad_y, const std::uint8_t* clip_mask, void* grad_x,
                            std::int64_t begin, std::int64_t end, FloatType type) {
  with_float_type(type,
                  [&](auto stored) { backward_as<decltype(stored)>(grad_y, clip_mask, grad_x, begin, end); });
}

}  // namespace samebits::kernels::reference
