// The contract of kernels/relu.h as a plain loop.
#include "kernels/reference/relu.h"

#include "kernels/reference/clip_mask.h"

namespace samebits::kernels::reference {

void relu(const ReluArgs& args, std::int64_t begin, std::int64_t end) {
  for (std::int64_t i = begin; i < end; ++i) {
    append_clip_bit(args.clip_mask, i, args.x[i] <= 0.0f);
    args.y[i] = args.x[i] < 0.0f ? 0.0f : args.x[i];
  }
}

}  // namespace samebits::kernels::reference
