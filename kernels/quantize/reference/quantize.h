#pragma once
#include "kernels/quantize/quantize.h"

namespace samebits::kernels::reference {
bool quantize(const QuantizeArgs& args, const GridTable& table, std::int64_t begin, std::int64_t end);
bool quantize_run(const QuantizeArgs& args, const AffineGrid& grid, std::int64_t begin, std::int64_t end);
}  // namespace samebits::kernels::reference
