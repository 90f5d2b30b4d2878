#pragma once
#include "kernels/quantize/fake_quantize.h"

namespace samebits::kernels::reference {
bool fake_quantize(const FakeQuantizeArgs& args, const GridTable& table, std::int64_t begin,
                   std::int64_t end);
bool fake_quantize_run(const FakeQuantizeArgs& args, const AffineGrid& grid, std::int64_t begin,
                       std::int64_t end);
void fake_quantize_backward(const void* grad_y, const std::uint8_t* clip_mask, void* grad_x,
                            std::int64_t begin, std::int64_t end, FloatType type);
}  // namespace samebits::kernels::reference
