// The contract of kernels/quantize/dequantize.h as plain loops.
#include "kernels/quantize/reference/dequantize.h"

namespace samebits::kernels::reference {

void dequantize_run(const std::int8_t* codes, void* y, const AffineGrid& grid, std::int64_t begin,
                    std::int64_t end, FloatType type) {
  with_float_type(type, [&](auto stored) {
    using Stored = decltype(stored);
    for (std::int64_t i = begin; i < end; ++i)
      static_cast<Stored*>(y)[i] = round_to<Stored>(kernels::dequantize(codes[i], grid));
  });
}

void dequantize_codes(const std::int8_t* codes, void* y, const GridTable& table, std::int64_t begin,
                      std::int64_t end, FloatType type) {
  for_each_run(table, begin, end, [&](std::int64_t first, std::int64_t last, std::int64_t index) {
    reference::dequantize_run(codes, y, table.grid(index), first, last, type);
  });
}

}  // namespace samebits::kernels::reference
