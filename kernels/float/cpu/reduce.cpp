// kernels/float/reduce.h with Highway. This file is compiled once for every instruction set.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/float/cpu/reduce.cpp"
#include "kernels/float/reference/reduce.h"

#include "hwy/foreach_target.h"  // must precede highway.h
#include "hwy/highway.h"
#include "kernels/common/cpu/implementations.h"
#include "kernels/float/cpu/rows-inl.h"

#if SAMEBITS_HAS_VECTOR_OPS
HWY_BEFORE_NAMESPACE();
namespace samebits::kernels::HWY_NAMESPACE {

void sum_rows(const ReduceArgs& args, std::int64_t begin, std::int64_t end) {
  if (args.shape.inner == 1) {
    for (std::int64_t row = begin; row < end; ++row) Rows<VectorOps>::sum_row(args, row);
    return;
  }
  for_each_vector_of_rows(args.shape, begin, end, [&](std::int64_t first, std::int64_t row, int count) {
    Columns<VectorOps>::sum_columns(args, args.x + first, args.y + row, count);
  });
}

void max_rows(const ReduceArgs& args, std::int64_t begin, std::int64_t end) {
  if (args.shape.inner == 1) {
    for (std::int64_t row = begin; row < end; ++row) Rows<VectorOps>::max_row(args, row);
    return;
  }
  for_each_vector_of_rows(args.shape, begin, end, [&](std::int64_t first, std::int64_t row, int count) {
    Columns<VectorOps>::max_columns(args, args.x + first, args.y + row, count);
  });
}

}  // namespace samebits::kernels::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();
#endif  // SAMEBITS_HAS_VECTOR_OPS

#if HWY_ONCE
namespace samebits::kernels {
SAMEBITS_HIGHWAY_KERNEL(sum_rows, "sum_rows");
SAMEBITS_HIGHWAY_KERNEL(max_rows, "max_rows");
}  // namespace samebits::kernels
#endif  // HWY_ONCE
