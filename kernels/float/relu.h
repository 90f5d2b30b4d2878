// max(x, 0) with the one bit an element that its gradient needs: 8 1/8 bytes an element in float32 (4 read, 4
// and a bit written), 4 1/8 in 16-bit types.
#pragma once

#include <cstdint>

#include "kernels/common/float_type.h"
#include "kernels/common/kernel.h"

namespace samebits::kernels {

/// The arrays of one call, n elements each, of any alignment (of their type's at least).
struct ReluArgs {
  const void* x;  // of `type`
  void* y;        // of `type`; may be x
  /// ceil(n / 8) bytes: bit i % 8 of byte i / 8 is 1 where x[i] <= 0: no gradient. Null: not wanted.
  std::uint8_t* clip_mask;
  FloatType type = FloatType::kFloat32;
};

/// Elements [begin, end); `begin` is a multiple of 8, mask bits from `end` on are 0. y is +0 where x < 0; -0
/// and NaN stay, and NaN passes its gradient on, as in at::relu. Backward is fake_quantize_backward with this
/// mask.
extern const Kernel<void(const ReluArgs& args, std::int64_t begin, std::int64_t end)> relu;

}  // namespace samebits::kernels
