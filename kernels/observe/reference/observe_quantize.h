#pragma once
#include "kernels/observe/observe_quantize.h"

namespace samebits::kernels::reference {
MinMax observe_quantize_run(const QuantizeArgs& args, const AffineGrid& grid, std::int64_t begin,
                            std::int64_t end);
MinMax observe_fake_quantize_run(const FakeQuantizeArgs& args, const AffineGrid& grid, std::int64_t begin,
                                 std::int64_t end);
}  // namespace samebits::kernels::reference
