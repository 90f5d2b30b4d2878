#pragma once
#include "kernels/quantize/stochastic.h"

namespace samebits::kernels::reference {
bool quantize_stochastic(const StochasticArgs& args, const GridTable& table, std::int64_t begin,
                         std::int64_t end);
bool quantize_stochastic_run(const StochasticArgs& args, const AffineGrid& grid, std::int64_t begin,
                             std::int64_t end);
}  // namespace samebits::kernels::reference
