// The contract of kernels/quantize/stochastic.h as plain loops.
#include "kernels/quantize/reference/stochastic.h"

#include "kernels/common/reference/clip_mask.h"

namespace samebits::kernels::reference {

bool quantize_stochastic_run(const StochasticArgs& args, const AffineGrid& grid, std::int64_t begin,
                             std::int64_t end) {
  return with_float_type(args.type, [&](auto stored) {
    const auto* x = static_cast<const decltype(stored)*>(args.x);
    bool saw_nan = false;
    for (std::int64_t i = begin; i < end; ++i) {
      const std::uint32_t word = random_word(args.seed, args.stream, static_cast<std::uint64_t>(i));
      const float position = stochastic_position(to_float(x[i]), unit_float(word), grid);
      if (args.clip_mask != nullptr) append_clip_bit(args.clip_mask, i, is_clipped(position, grid));
      args.codes[i] = static_cast<std::int8_t>(code_at(position, grid));
      saw_nan = saw_nan || isnan(position);
    }
    return saw_nan;
  });
}

bool quantize_stochastic(const StochasticArgs& args, const GridTable& table, std::int64_t begin,
                         std::int64_t end) {
  bool saw_nan = false;
  for_each_run(table, begin, end, [&](std::int64_t first, std::int64_t last, std::int64_t index) {
    saw_nan |= quantize_stochastic_run(args, table.grid(index), first, last);
  });
  return saw_nan;
}

}  // namespace samebits::kernels::reference
