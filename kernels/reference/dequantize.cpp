// The contract of kernels/dequantize.h as a plain loop.
#include "kernels/reference/dequantize.h"

namespace samebits::kernels::reference {

void dequantize_run(const std::int8_t* codes, float* y, const AffineGrid& grid, std::int64_t begin,
                    std::int64_t end) {
  for (std::int64_t i = begin; i < end; ++i) y[i] = kernels::dequantize(codes[i], grid);
}

}  // namespace samebits::kernels::reference
