// kernels/float/softmax.h with Highway. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/float/cpu/softmax.cpp"
#include "kernels/float/reference/softmax.h"

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/implementations.h"
#include "kernels/float/cpu/rows-inl.h"

#if SAMEBITS_HAS_VECTOR_OPS
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

template <bool kLog>
void softmax_of(const SoftmaxArgs& args, std::int64_t begin, std::int64_t end) {
  if (args.shape.inner == 1) {
    for (std::int64_t row = begin; row < end; ++row)
      Rows<VectorOps>::softmax<kLog>(args.x + row * args.shape.n, args.y + row * args.shape.n, args.shape.n);
    return;
  }
  for_each_vector_of_rows(args.shape, begin, end, [&](std::int64_t first, std::int64_t, int count) {
    Columns<VectorOps>::softmax<kLog>(args.x + first, args.y + first, args.shape, count);
  });
}

void softmax(const SoftmaxArgs& args, std::int64_t begin, std::int64_t end) {
  args.is_log ? softmax_of<true>(args, begin, end) : softmax_of<false>(args, begin, end);
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // SAMEBITS_HAS_VECTOR_OPS

#if HWY_ONCE
namespace samebits::kernels {
SAMEBITS_HIGHWAY_KERNEL(softmax, "softmax");
}  // namespace samebits::kernels
#endif  // HWY_ONCE
