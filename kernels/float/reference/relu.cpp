// The contract of kernels/float/relu.h as a plain loop.
#include "kernels/float/reference/relu.h"

#include "kernels/common/reference/clip_mask.h"

namespace samebits::kernels::reference {

void relu(const ReluArgs& args, std::int64_t begin, std::int64_t end) {
  with_float_type(args.type, [&](auto stored) {
    using Stored = decltype(stored);
    const auto* x = static_cast<const Stored*>(args.x);
    for (std::int64_t i = begin; i < end; ++i) {
      const float value = to_float(x[i]);
      if (args.clip_mask != nullptr) append_clip_bit(args.clip_mask, i, value <= 0.0f);
      static_cast<Stored*>(args.y)[i] = value < 0.0f ? Stored() : x[i];
    }
  });
}

}  // namespace samebits::kernels::reference
