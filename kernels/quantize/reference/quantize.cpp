// The contract of kernels/quantize/quantize.h as plain loops.
#include "kernels/quantize/reference/quantize.h"

#include "kernels/common/reference/clip_mask.h"

namespace samebits::kernels::reference {
namespace {

template <class Stored>
bool quantize_as(const QuantizeArgs& args, const AffineGrid& grid, std::int64_t begin, std::int64_t end) {
  const auto* x = static_cast<const Stored*>(args.x);
  bool saw_nan = false;
  for (std::int64_t i = begin; i < end; ++i) {
    const float value = to_float(x[i]);
    const bool stopped_by_relu = args.fold_relu && value <= 0.0f;
    const float position = grid_position(stopped_by_relu ? 0.0f : value, grid);
    if (args.clip_mask != nullptr)
      append_clip_bit(args.clip_mask, i, is_clipped(position, grid) || stopped_by_relu);
    args.codes[i] = static_cast<std::int8_t>(code_at(position, grid));
    saw_nan = saw_nan || isnan(position);
  }
  return saw_nan;
}

}  // namespace

bool quantize_run(const QuantizeArgs& args, const AffineGrid& grid, std::int64_t begin, std::int64_t end) {
  return with_float_type(args.type,
                         [&](auto stored) { return quantize_as<decltype(stored)>(args, grid, begin, end); });
}

bool quantize(const QuantizeArgs& args, const GridTable& table, std::int64_t begin, std::int64_t end) {
  bool saw_nan = false;
  for_each_run(table, begin, end, [&](std::int64_t first, std::int64_t last, std::int64_t index) {
    saw_nan |= reference::quantize_run(args, table.grid(index), first, last);
  });
  return saw_nan;
}

}  // namespace samebits::kernels::reference
